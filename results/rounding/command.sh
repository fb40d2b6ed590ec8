#!/usr/bin/env bash
# Do devices, batches, kills or instruction sets change a file or a record?
#
#   results/rounding/command.sh SHARED OUT
#
# SHARED is as results/external_models/command.sh wants it. 25 minutes on two CPU cores.
set -euo pipefail
shared=$1 out=$2
mkdir -p "$out"

. "$(dirname "$0")/../_job.sh"

data=(--source=tfds:cifar10_subset:test --data_dir="$shared/data"
  --model="$(dirname "$0")/../networks/fast")
here=$(dirname "$0")
MODEL=$here/../networks/fast bash "$here/../../benchmarks/invariance.sh" "$shared" \
  "$out/invariance"
page rounding rounding "${data[@]}"
XLA_FLAGS=--xla_cpu_max_isa=AVX2 page rounding-avx2 rounding "${data[@]}"
