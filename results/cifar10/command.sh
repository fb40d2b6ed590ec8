#!/usr/bin/env bash
# MSPD on CIFAR-10 from data and public weights to the table in results/, resumable.
#
#   results/cifar10/command.sh SHARED OUT
#
# SHARED holds data/cifar10_subset and data/cifar10_jpeg (prepared TFDS data sets) and
# weights/resnet20-12fca82f.th, resnet32-d509ac18.th (PyTorch is needed to read them).
# Trains a robust surrogate A and a robust target B, protects 256 lossless test images,
# reverts them, and attacks A and B. An hour on two CPU cores; LIMIT, EPOCHS_A and
# EPOCHS_B change that. A step that has finished is not done again.
set -euo pipefail
shared=$1 out=$2
limit=${LIMIT:-256} epochs_a=${EPOCHS_A:-3} epochs_b=${EPOCHS_B:-1}
test=(--source=tfds:cifar10_subset:test --data_dir="$shared/data")
mkdir -p "$out"

. "$(dirname "$0")/../_job.sh"

for depth in 20 32; do public_resnet $depth plain$depth; done
train=(--source=tfds:cifar10_jpeg:train --data_dir="$shared/data" --eps=8/255
  --learning_rate=0.05 --eval_source=tfds:cifar10_subset:test
  --eval_limit="$limit")
job train_classifier A "${train[@]}" --init="$out/plain20" --epochs="$epochs_a" --seed=0 \
  --adversarial=fgsm
# One step is not enough for the deeper network: it learns to fool that step alone.
job train_classifier B "${train[@]}" --init="$out/plain32" --epochs="$epochs_b" --seed=1 \
  --adversarial=pgd --attack_steps=2

by=(--recipe=paper --eps=8/255 --limit="$limit" --labeler="$out/plain32")
protect() { # NAME FLAGS...: later flags win
  local name=$1
  shift
  job protect "$name" "${test[@]}" "${by[@]}" --surrogate="$out/A" "$@"
}
protect n1 --samples=1
protect n4-antithetic --samples=4 --antithetic
protect n20
protect n20-oracle --labeler=truth
protect n20-forward-only --backward_epochs=0
protect n20-backward-only --forward_epochs=0
protect n20-plain-surrogate --surrogate="$out/plain20"
protect bilevel --method=bilevel --limit=64 --batch_size=16
protect n20-same64 --limit=64 --batch_size=16
revert=("${by[@]}" --source="folder:$out/n20" --original="${test[0]#*=}"
  --data_dir="$shared/data")
job revert n20-reverted-A "${revert[@]}" --surrogate="$out/A"
job revert n20-reverted-B "${revert[@]}" --surrogate="$out/B"

attack=(--attack=pgd-20 --eps=8/255 --batch_size=64)
for model in A B; do
  job evaluate "unprotected-on-$model" "${test[@]}" --limit="$limit" \
    --target="$out/$model" "${attack[@]}"
  for images in n1 n4-antithetic n20 n20-oracle n20-forward-only n20-backward-only \
    n20-plain-surrogate n20-reverted-A n20-reverted-B bilevel n20-same64; do
    job evaluate "$images-on-$model" --source="folder:$out/$images" \
      --target="$out/$model" "${attack[@]}"
  done
done
python -m launch.report --runs="$out" --out="$out/report" --images=0
