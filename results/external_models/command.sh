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
external=$shared/weights/external
mkdir -p "$out"

. "$(dirname "$0")/../_job.sh"

[ -d "$out/resnet32" ] || python -m launch.convert --model=akamaster_resnet32 \
  --torch="$shared/weights/resnet32-d509ac18.th" --out="$out/resnet32"
job protect protected "${test[@]}" --surrogate="$surrogate" \
  --labeler="$out/resnet32" --eps=8/255 --recipe=paper
while read -r name file model; do
  [ -d "$out/$name" ] || python -m launch.convert --torch="$external/$file" \
    --model="$model" --out="$out/$name"
  job evaluate "before-2-$name" "${test[@]}" --target="$out/$name" --attack=pgd-20 \
    --eps=2/255
  job evaluate "before-$name" "${test[@]}" --target="$out/$name" \
    --attack=pgd-20,autoattack-fast --eps=8/255
  job evaluate "after-$name" --source="folder:$out/protected" --target="$out/$name" \
    --attack=pgd-20,autoattack-fast --eps=8/255
done <<'MODELS'
resnet4b resnet4b.pth resnet4b
resnet2b resnet2b.pth resnet2b
cnn_a_adv cifar_cnn_a_adv.model cifar_cnn_a
cnn_a_adv4 cifar_cnn_a_adv4.model cifar_cnn_a
oval_wide cifar_wide.pth oval_wide
oval_deep cifar_deep.pth oval_deep
oval_base cifar_base.pth oval_base
conv_small cifar_conv_small_pgd.pth cifar_conv_small_pgd
MODELS
python -m launch.report --runs="$out" --out="$out/report" --images=0
