#!/usr/bin/env bash
# Denoised smoothing with denoisers that nobody trained for the classifier.
#
#   results/denoised_smoothing/public_denoisers.sh SHARED OUT
#
# SHARED holds data/cifar10_subset (a prepared TFDS data set), weights/external with
# KAIR's dncnn_color_blind.pth and ffdnet_color.pth, and weights/resnet32-d509ac18.th
# (PyTorch is needed to read them). Certifies every fourth of 416 lossless test images,
# n = 10,000, at sigma 0.12 and 0.25, without a denoiser and with each. Hours on two CPU
# cores (DnCNN has 1.4 GFLOP an image); EVERY and SAMPLES take less. A step that has
# finished is not done again, one that was interrupted goes on.
set -euo pipefail
shared=$1 out=$2
every=${EVERY:-4} samples=${SAMPLES:-10000}
mkdir -p "$out"

. "$(dirname "$0")/../_job.sh"

certify() { # FOLDER FLAGS...
  local folder=$1
  shift
  job certify "$folder" --source=tfds:cifar10_subset:test --data_dir="$shared/data" \
    --limit=416 --every="$every" --samples="$samples" --early_stop=fast \
    --target="$out/resnet32" "$@"
}

public_resnet 32
convert ffdnet external/ffdnet_color.pth kair_ffdnet_color
convert dncnn external/dncnn_color_blind.pth kair_dncnn_color_blind
# What takes least comes first.
for method in plain ffdnet dncnn; do
  for sigma in 0.12 0.25; do
    flags=(--sigma="$sigma")
    [ "$method" = plain ] || flags+=(--method=denoised --denoiser="$out/$method")
    certify "$method-$sigma" "${flags[@]}"
  done
done
python -m launch.report --runs="$out" --out="$out/report"
