#!/usr/bin/env bash
# MSPD before networks that protection never saw, and what attackers leave of it.
#
#   results/transfer/command.sh SHARED OUT [PART...]
#
# SHARED is as results/external_models/command.sh wants it. PART: gain, variants,
# autoattack, threats; all of them by default. Protects lossless CIFAR-10 test images by
# the surrogate that ships, for the labels of a public ResNet-32. Targets: eight robust
# networks of others, and what results/networks holds of our own (NETWORKS names another
# folder of checkpoints).
#
#   gain        the default (8 gradients) and the bi-level baseline at that cost, under
#               the worst of PGD-20, MIM transferred from the surrogate, MALT, and 500
#               queries of Square, which sees scores alone
#   variants    one draw, 20 (the paper) and 50, forward alone, the baseline at 40 and at
#               its own 2,100 gradients, under PGD-20; before the surrogate, too
#   autoattack  AutoAttack standard, for the originals and the default
#   threats     what reversions leave, in 1 and in 10 rounds, by the surrogate, by
#               another network, and by the target itself; under PGD-20
#
# LIMIT is the number of images, 512 for gain, 256, 128 and 256 for the others (64 before
# the baseline at its own cost): hours on two CPU cores. A step that has finished is not
# done again, one that was interrupted goes on. LIMIT=128 and gain alone take half an
# hour: subset.csv beside this file is what came out of the first 128 images, and
#
#   python -m benchmarks.compare OUT/report/transfer.csv results/transfer/subset.csv
#
# says how far another run is from it.
set -euo pipefail
shared=$1 out=$2
shift 2
parts=${*:-gain variants autoattack threats}
limit=${LIMIT:-512}
networks=${NETWORKS:-$(dirname "$0")/../networks}
surrogate=cifar10_resnet20_robust
test=(--source=tfds:cifar10_subset:test --data_dir="$shared/data")
mkdir -p "$out/targets"

. "$(dirname "$0")/../_job.sh"

public_resnet 32
targets=()
while read -r name file model; do
  convert "targets/$name" "$file" "$model"
  targets+=("$out/targets/$name")
done < <(external_networks)
for path in "$networks"/*/; do targets+=("${path%/}"); done

protect() { # FOLDER LIMIT FLAGS...
  local folder=$1 limit=$2
  shift 2
  job protect "$folder" "${test[@]}" --limit="$limit" --surrogate=$surrogate \
    --labeler="$out/resnet32" --eps=8/255 "$@"
}

attack() { # FOLDER IMAGES ATTACK FLAGS...: IMAGES before all targets
  local folder=$1 images=$2 attack=$3
  shift 3
  local from=(--source="folder:$out/$images")
  [ "$images" = unprotected ] && from=("${test[@]}")
  job evaluate "$folder" "${from[@]}" --surrogate=$surrogate --attack="$attack" \
    --eps=8/255 "$@"
}
all=$(IFS=, && echo "${targets[*]}")

gain() {
  protect antithetic-4 "$limit"
  protect bilevel-8 "$limit" --method=bilevel --outer_steps=2 --inner_steps=3 \
    --outer_rate=1
  for images in unprotected antithetic-4 bilevel-8; do
    attack "gain/$images" $images pgd-20,transfer:mim-20,malt-30,square-500 \
      --limit="$limit" --targets="$all"
  done
}

variants() {
  local some=${LIMIT_VARIANTS:-${LIMIT:-256}}
  protect variants/4-antithetic "$some"
  protect variants/paper "$some" --recipe=paper
  protect variants/1-draw "$some" --recipe=paper --samples=1
  protect variants/50-draws "$some" --recipe=paper --samples=50
  protect variants/forward "$some" --recipe=paper --backward_epochs=0
  protect variants/bilevel-40 "$some" --method=bilevel --outer_steps=10 \
    --inner_steps=3 --outer_rate=0.3
  protect variants/bilevel-2100 "${LIMIT_BILEVEL:-${LIMIT:-64}}" --method=bilevel
  attack variants/pgd/unprotected unprotected pgd-20 --limit="$some" \
    --targets="$all,$surrogate"
  for images in 4-antithetic paper 1-draw 50-draws forward bilevel-40 bilevel-2100; do
    attack "variants/pgd/$images" "variants/$images" pgd-20 \
      --targets="$all,$surrogate"
  done
}

autoattack() {
  protect antithetic-4 "$limit"
  for images in unprotected antithetic-4; do
    attack "autoattack/$images" $images autoattack \
      --limit="${LIMIT_AUTOATTACK:-${LIMIT:-128}}" --targets="$all"
  done
}

threats() {
  local few=${LIMIT_THREATS:-${LIMIT:-256}} images=threats/protected
  protect $images "$few"
  for source in unprotected $images; do
    attack "threats/pgd-$(basename $source)" $source pgd-20 --limit="$few" \
      --targets="$all"
  done
  for rounds in 1 10; do
    local back=(--source="folder:$out/$images" --eps=8/255 --rounds=$rounds
      --original=tfds:cifar10_subset:test --data_dir="$shared/data")
    job revert "threats/by-surrogate-$rounds" "${back[@]}" --surrogate=$surrogate
    attack "threats/pgd-by-surrogate-$rounds" "threats/by-surrogate-$rounds" pgd-20 \
      --targets="$all"
    for target in "${targets[@]}"; do
      local name
      name=$(basename "$target")
      job revert "threats/by-$name-$rounds" "${back[@]}" --surrogate="$target"
      attack "threats/pgd-by-$name-$rounds" "threats/by-$name-$rounds" pgd-20 \
        --target="$target"
      [ "$name" != resnet4b ] || attack "threats/pgd-by-other-$rounds" \
        "threats/by-$name-$rounds" pgd-20 --targets="${all#*,}"
    done
  done
}

for part in $parts; do
  "$part"
  python -m launch.report --runs="$out" --out="$out/report" --images=0
done
