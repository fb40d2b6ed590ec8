#!/usr/bin/env bash
# The networks of our own: surrogates, and targets that protection is measured on.
#
#   results/networks/command.sh SHARED OUT [NAME...]
#
# SHARED holds data/cifar10_subset and data/cifar10_jpeg (prepared TFDS data sets) and
# weights/resnet20-12fca82f.th, resnet32-d509ac18.th (PyTorch is needed to read them).
# NAME: those below, all by default. They differ in architecture, in what they were
# trained against, and in the seed; two cores take two hours and a half for all of them.
# Each is measured on the first 512 lossless test images, by PGD-20 at 8/255. A
# step that has finished is not done again, one that was interrupted goes on.
set -euo pipefail
shared=$1 out=$2
shift 2
limit=${LIMIT:-512}
all="surrogate pgd trades noise regularized second"
mkdir -p "$out"

. "$(dirname "$0")/../_job.sh"

for depth in 20 32; do public_resnet $depth plain$depth; done

train() { # NAME FLAGS...
  local name=$1
  shift
  job train_classifier "$name" --data_dir="$shared/data" \
    --source=tfds:cifar10_jpeg:train,tfds:cifar10_subset:train \
    --eval_source=tfds:cifar10_subset:test --eval_limit="$limit" --eps=8/255 \
    --schedule=linear --warmup_epochs=1 "$@"
}
two_steps=(--adversarial=pgd --attack_steps=2)

surrogate() { # the one that ships: the most epochs, and the mean of its weights
  train surrogate --init="$out/plain20" "${two_steps[@]}" --eps=7/255 \
    --step_size=5.25/255 --learning_rate=0.1 --epochs=12 --ema=0.998 --seed=0
}
pgd() {
  train pgd --init="$out/plain32" "${two_steps[@]}" --learning_rate=0.05 --epochs=2 \
    --warmup_epochs=0.5 --seed=1
}
small=(--learning_rate=0.2 --epochs=4)
trades() { # from nothing, as the next ones
  train trades --arch=wide_resnet10_1 --adversarial=trades --attack_steps=2 \
    "${small[@]}" --seed=2
}
noise() { # no adversary at all
  train noise --arch=plain_wide_resnet10_1 --noise=0.25 "${small[@]}" \
    --epochs=6 --seed=3
}
regularized() {
  train regularized --arch=plain_wide_resnet10_1 --adversarial=fgsm_regularized \
    "${small[@]}" --seed=4
}
second() { # a surrogate of another family, from nothing
  train second --arch=plain_wide_resnet10_2 "${two_steps[@]}" --learning_rate=0.2 \
    --epochs=10 --ema=0.998 --seed=5
}

for name in ${*:-$all}; do
  "$name"
  job evaluate "accuracy-$name" --source=tfds:cifar10_subset:test --limit="$limit" \
    --data_dir="$shared/data" --target="$out/$name/model" --attack=pgd-20 \
    --eps=8/255
done
python -m launch.report --runs="$out" --out="$out/report" --images=0
