#!/usr/bin/env bash
# What protection survives: JPEG, sizes, crops and screenshots.
#
#   results/pictures/command.sh SHARED OUT
#
# SHARED is as results/external_models/command.sh wants it.
set -euo pipefail
shared=$1 out=$2
mkdir -p "$out"

. "$(dirname "$0")/../_job.sh"

page survival survival --shared="$shared" --out="$out" \
  --surrogate="${SURROGATE:-$(dirname "$0")/../networks/fast}"
