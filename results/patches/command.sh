#!/usr/bin/env bash
# Certified detection of patches on CIFAR-10: what is certified, and what it costs.
#
#   results/patches/command.sh SHARED OUT [PART...]
#
# SHARED holds data/cifar10_subset, data/cifar10_jpeg (prepared TFDS data sets) and
# weights/resnet20-12fca82f.th (PyTorch is needed to read it). PART: train, certify,
# attack; all of them by default, three hours on two CPU cores, of which training takes
# half. EPOCHS, LIMIT (images), SHARES (of neurons, one network for each), SIDES (of
# patches), WINDOWS (along an axis; 0: each place of the patch), ATTACKED (images) and
# STEPS change the sizes. A step that has finished is not done again, one that was
# interrupted goes on.
set -euo pipefail
shared=$1 out=$2
shift 2
parts=${*:-train certify attack}
epochs=${EPOCHS:-4} limit=${LIMIT:-256} shares=${SHARES:-0.05 0.01 1}
sides=${SIDES:-5 2} grids=${WINDOWS:-2 3 4 6 8 12 0}
data=(--data_dir="$shared/data")
test=(--source=tfds:cifar10_subset:test "${data[@]}")
mkdir -p "$out"

. "$(dirname "$0")/../_job.sh"

public_resnet 20

train() { # under windows of 9 pixels: those of a 5x5 patch, six along an axis
  local by=(--source=tfds:cifar10_jpeg:train "${data[@]}" --init="$out/resnet20"
    --eval_source=tfds:cifar10_subset:test --occlude=9 --epochs="$epochs"
    --learning_rate=0.02)
  job train_classifier pixels "${by[@]}"
  for share in $shares; do
    job train_classifier "stem-$share" "${by[@]}" --occlude_at=stem --keep="$share"
  done
}

certify() { # each method on the network that was trained for it
  for side in $sides; do
    for grid in $grids; do
      local by=("${test[@]}" --limit="$limit" --patch="$side" --windows="$grid")
      job certify "certify/$side/minority-$grid" "${by[@]}" --method=minority \
        --target="$out/pixels/model"
      for share in $shares; do
        job certify "certify/$side/scalecert-$share-$grid" "${by[@]}" \
          --method=scalecert --keep="$share" --target="$out/stem-$share/model"
      done
    done
    # Other shares than the network was trained for.
    for pair in "0.02 0.05" "0.1 0.05" "0.2 1" "0.5 1"; do
      read -r share trained <<<"$pair"
      job certify "certify/$side/scalecert-$share-of-$trained" "${test[@]}" \
        --limit="$limit" --patch="$side" --windows=6 --method=scalecert \
        --keep="$share" --target="$out/stem-$trained/model"
    done
    for grid in 3 6; do
      job certify "certify/$side/patchcleanser-$grid" "${test[@]}" --limit="$limit" \
        --patch="$side" --windows="$grid" --method=patchcleanser \
        --target="$out/pixels/model"
    done
    python -m launch.report --runs="$out/certify/$side" --images=0 \
      --out="$out/report-$side" >/dev/null
  done
}

attack() { # with and without the detector in view; corners first
  for side in $sides; do
    local by=("${test[@]}" --limit="${ATTACKED:-32}" --patch="$side"
      --attack=pgd,aware --attack_steps="${STEPS:-50}")
    job certify "attack/$side/minority" "${by[@]}" --method=minority \
      --target="$out/pixels/model"
    job certify "attack/$side/scalecert" "${by[@]}" --method=scalecert --keep=0.05 \
      --target="$out/stem-0.05/model"
  done
  python -m launch.report --runs="$out/attack" --images=0 --out="$out/report-attack" \
    >/dev/null
}

for part in $parts; do "$part"; done
