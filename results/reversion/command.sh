#!/usr/bin/env bash
# What reversions leave of MSPD: the paper's, and one of several rounds.
#
#   results/reversion/command.sh SHARED OUT
#
# SHARED is as results/external_models/command.sh wants it. Protects lossless CIFAR-10
# test images by results/networks/fast (SURROGATE names another one), with 4 antithetic
# draws, for the labels of a public ResNet-32; reverts the files, in 1 and in 10 rounds,
# with the surrogate and with each of two targets that protection never met; attacks
# surrogate and targets by PGD-20 at 8/255. 20 minutes on two CPU cores; LIMIT takes
# fewer images. A step that has finished is not done again.
set -euo pipefail
shared=$1 out=$2
limit=${LIMIT:-256}
test=(--source=tfds:cifar10_subset:test --data_dir="$shared/data" --limit="$limit")
surrogate=${SURROGATE:-$(dirname "$0")/../networks/fast}
mkdir -p "$out"

. "$(dirname "$0")/../_job.sh"

attack() { # FOLDER TARGET NAME
  job evaluate "$1-on-$3" --source="folder:$out/$1" --target="$2" --attack=pgd-20 \
    --eps=8/255
}

public_resnet 32
convert resnet4b external/resnet4b.pth resnet4b
convert cnn_a_adv external/cifar_cnn_a_adv.model cifar_cnn_a
job protect protected "${test[@]}" --surrogate="$surrogate" --labeler="$out/resnet32" \
  --eps=8/255
targets=("$surrogate" "$out/resnet4b" "$out/cnn_a_adv")
for target in "${targets[@]}"; do
  name=$(basename "$target")
  job evaluate "unprotected-on-$name" "${test[@]}" --target="$target" --attack=pgd-20 \
    --eps=8/255
  attack protected "$target" "$name"
done
for rounds in 1 10; do
  back=(--source="folder:$out/protected" --eps=8/255 --rounds=$rounds
    --original=tfds:cifar10_subset:test --data_dir="$shared/data")
  job revert "surrogate-$rounds" "${back[@]}" --surrogate="$surrogate"
  for target in "${targets[@]}"; do
    name=$(basename "$target")
    attack "surrogate-$rounds" "$target" "$name"
    [ "$target" = "$surrogate" ] && continue
    job revert "$name-$rounds" "${back[@]}" --surrogate="$target"
    for other in "${targets[@]}"; do
      attack "$name-$rounds" "$other" "$(basename "$other")"
    done
  done
done
python -m launch.report --runs="$out" --out="$out/report" --images=0
