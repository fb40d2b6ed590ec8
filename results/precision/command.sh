#!/usr/bin/env bash
# What half precision changes in an evaluation.
#
#   results/precision/command.sh SHARED OUT
#
# SHARED is as results/external_models/command.sh wants it.
set -euo pipefail
shared=$1 out=$2
mkdir -p "$out"

. "$(dirname "$0")/../_job.sh"

convert resnet4b external/resnet4b.pth resnet4b
page precision precision --source=tfds:cifar10_subset:test --data_dir="$shared/data" \
  --images=48 --surrogate="$(dirname "$0")/../networks/fast" --target="$out/resnet4b"
