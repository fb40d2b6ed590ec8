#!/usr/bin/env bash
# AutoAttack on a small robust network, and beside the reference code.
#
#   results/autoattack/command.sh SHARED OUT
#
# SHARED holds data/cifar10_subset (a prepared TFDS data set); the comparison needs
# PyTorch and torchattacks. LIMIT takes fewer images than 256, TARGET another network.
set -euo pipefail
shared=$1 out=$2
target=${TARGET:-$(dirname "$0")/../networks/fast}
mkdir -p "$out"

. "$(dirname "$0")/../_job.sh"

attack=(--source=tfds:cifar10_subset:test --data_dir="$shared/data"
  --limit="${LIMIT:-256}" --target="$target" --attack=autoattack)
job evaluate linf "${attack[@]}" --eps=8/255
job evaluate l2 "${attack[@]}" --norm=l2 --eps=0.5
page reference autoattack --target="$target" --images="${LIMIT:-256}" --data_dir="$shared/data"
