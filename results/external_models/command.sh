#!/usr/bin/env bash
# Robust networks that others trained: their accuracies, and what MSPD is worth on them.
#
#   results/external_models/command.sh SHARED OUT
#
# SHARED holds data/cifar10_subset (a prepared TFDS data set), weights/external (eight
# robust CIFAR-10 classifiers, PyTorch is needed to read them) and
# weights/resnet32-d509ac18.th, which labels. Protects 512 lossless test images by the
# surrogate results/networks/fast (SURROGATE names another one), for targets that it never met, and attacks
# these, with PGD-20 at 2/255 and 8/255 and with MALT at 8/255, before and after. Half
# an hour on two CPU cores; LIMIT takes fewer images. A step that has finished is not
# done again.
set -euo pipefail
shared=$1 out=$2
limit=${LIMIT:-512} surrogate=${SURROGATE:-$(dirname "$0")/../networks/fast}
test=(--source=tfds:cifar10_subset:test --data_dir="$shared/data" --limit="$limit")
mkdir -p "$out"

. "$(dirname "$0")/../_job.sh"

public_resnet 32
job protect protected "${test[@]}" --surrogate="$surrogate" \
  --labeler="$out/resnet32" --eps=8/255 --recipe=paper
while read -r name file model; do
  convert "$name" "$file" "$model"
  job evaluate "before-2-$name" "${test[@]}" --target="$out/$name" --attack=pgd-20 \
    --eps=2/255
  job evaluate "before-$name" "${test[@]}" --target="$out/$name" \
    --attack=pgd-20,autoattack-fast --eps=8/255
  job evaluate "after-$name" --source="folder:$out/protected" --target="$out/$name" \
    --attack=pgd-20,autoattack-fast --eps=8/255
done < <(external_networks)
python -m launch.report --runs="$out" --out="$out/report" --images=0
