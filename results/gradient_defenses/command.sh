#!/usr/bin/env bash
# Gradient concealment, restoration networks and purifiers: claims, and what is left.
#
#   results/gradient_defenses/command.sh SHARED OUT [PART...]
#
# SHARED holds data/cifar10_subset, data/cifar10_jpeg (prepared TFDS data sets) and
# weights/resnet20-12fca82f.th, resnet32-d509ac18.th (PyTorch is needed to read them).
# PART: gcm, digits, trn, purify; all of them by default, two hours on two CPU cores,
# of which training takes one. DENOISER=CKPT adds a denoiser to the purifiers. On a GPU,
# for more than those cores afford:
#
#   SOURCE=tfds:cifar10_jpeg:train ARCH=trn EPOCHS=60 EPOCHS_RULES=60 LIMIT=512
#
# A step that has finished is not done again, one that was interrupted goes on.
set -euo pipefail
shared=$1 out=$2
shift 2
parts=${*:-gcm digits trn purify}
source=${SOURCE:-tfds:cifar10_subset:train} arch=${ARCH:-trn_small}
limit=${LIMIT:-128} rules="predicted uniform softmax all"
data=(--data_dir="$shared/data")
test=(--source=tfds:cifar10_subset:test "${data[@]}")
mkdir -p "$out"

. "$(dirname "$0")/../_job.sh"

for depth in 20 32; do public_resnet $depth; done

gcm() { # what its authors attack with, and what they do not
  local by=("${test[@]}" --limit="$limit" --target="$out/resnet20" --defense=gcm
    --surrogate="$out/resnet32" --batch_size=64 --each_alone)
  job evaluate gcm/linf "${by[@]}" --attack=fgsm,pgd-20,square-300 --eps=8/255
  job evaluate gcm/l2 "${by[@]}" --norm=l2 --attack=pgd-20,cw,square-300 --eps=0.5
  job evaluate gcm/l1 "${by[@]}" --norm=l1 --attack=pgd-20,square-300 --eps=12
}

static=static:fgsm,static:bim,static:pgd-20,static:mim,static:cw,static:apgd-ce-25
static=$static,static:square-500

restored() { # FOLDER FLAGS...: attackers who do not know of the network, then others
  local folder=$1
  shift
  job evaluate "$folder-static" "$@" --attack="$static" --noadaptive --each_alone \
    --check_images=0
  job evaluate "$folder-adaptive" "$@" --attack=pgd-20,square-300 \
    --check_images="${CHECKS:-32}"
}

digits() {
  job train_classifier digits/classifier --source=digits:train --epochs=20 \
    --eval_source=digits:test --arch=small_cnn
  local by=(--source=digits:test --target="$out/digits/classifier" --eps=0.15
    --batch_size=128 --limit=256)
  job evaluate digits/plain "${by[@]}" --attack="${static//static:/}" --each_alone
  for rule in $rules; do
    job train_trn "digits/trn-$rule" --source=digits:train --rule="$rule" \
      --classifier="$out/digits/classifier" --eps=0.1,0.2 --epochs=20 \
      --eval_source=digits:test
    restored "digits/$rule" "${by[@]}" --defense="trn:$out/digits/trn-$rule"
  done
}

train_trn() { # FOLDER RULE EPOCHS FLAGS...
  local folder=$1 rule=$2 epochs=$3
  shift 3
  job train_trn "$folder" --source="$source" "${data[@]}" --rule="$rule" \
    --classifier="$out/resnet20" --arch="$arch" --eps=4/255,8/255 \
    --epochs="$epochs" --attack_steps=3 --batch_size=32 --learning_rate=2e-3 \
    --clip=1 --eval_source=tfds:cifar10_subset:test --eval_limit="$limit" "$@"
}

trn() {
  local by=("${test[@]}" --limit="$limit" --target="$out/resnet20" --eps=8/255
    --batch_size=32)
  job evaluate trn/plain "${by[@]}" --attack="${static//static:/}" --each_alone \
    --check_images="${CHECKS:-32}"
  for rule in $rules; do
    train_trn "trn/trn-$rule" "$rule" "${EPOCHS_RULES:-3}"
    restored "trn/$rule" "${by[@]}" --defense="trn:$out/trn/trn-$rule"
  done
  train_trn trn/trn-longer softmax "${EPOCHS:-12}" --init="$out/trn/trn-softmax"
  restored trn/longer "${by[@]}" --surrogate="$out/resnet32" \
    --defense="trn:$out/trn/trn-longer"
}

purify() { # MSPD with results/networks/fast; the target never met the protection
  local surrogate=${SURROGATE:-$(dirname "$0")/../networks/fast}
  local eight=(--eps=8/255 --batch_size=32)
  job train_classifier purify/target --source=tfds:cifar10_jpeg:train "${data[@]}" \
    --init="$out/resnet32" --adversarial=pgd --attack_steps=2 "${eight[@]:0:1}" \
    --learning_rate=0.05 --epochs=1 --seed=1
  job protect purify/protected "${test[@]}" "${eight[@]}" --limit="$limit" \
    --surrogate=$surrogate --labeler="$out/resnet32" --recipe=paper
  local by=("${eight[@]}" --attack=pgd-20,square-100 --check_images=0
    --purify="${PURIFY:-none,jpeg:90,jpeg:50,bits:3,gaussian:0.5,gaussian:1,median:3,\
tv:0.03,resize:0.9}${DENOISER:+,denoiser:$DENOISER}")
  for images in unprotected protected; do
    local from=("${test[@]}" --limit="$limit")
    [ $images = protected ] && from=(--source="folder:$out/purify/protected")
    job evaluate "purify/on-$images" "${from[@]}" "${by[@]}" \
      --target="$out/purify/target"
  done
}

for part in $parts; do
  "$part"
  python -m launch.report --runs="$out/$part" --out="$out/report-$part" --images=0
done
