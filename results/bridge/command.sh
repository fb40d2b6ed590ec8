#!/usr/bin/env bash
# Speed of networks of PyTorch and ONNX that run in JAX. SHARED is not used.
#
#   results/bridge/command.sh SHARED OUT
set -euo pipefail
out=$2
mkdir -p "$out"

. "$(dirname "$0")/../_job.sh"

page bridge bridge
