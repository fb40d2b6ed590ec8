#!/usr/bin/env bash
# AutoAttack on the surrogate that ships, and beside the reference code.
#
#   results/autoattack/command.sh SHARED OUT
#
# SHARED holds data/cifar10_subset (a prepared TFDS data set); the comparison needs
# PyTorch and torchattacks. LIMIT takes fewer images than 256.
set -euo pipefail
shared=$1 out=$2
mkdir -p "$out"

. "$(dirname "$0")/../_job.sh"

attack=(--source=tfds:cifar10_subset:test --data_dir="$shared/data"
  --limit="${LIMIT:-256}" --target=cifar10_resnet20_robust --attack=autoattack)
job evaluate linf "${attack[@]}" --eps=8/255
job evaluate l2 "${attack[@]}" --norm=l2 --eps=0.5
page reference autoattack --images="${LIMIT:-256}" --data_dir="$shared/data"
