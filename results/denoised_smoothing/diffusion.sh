#!/usr/bin/env bash
# One-shot diffusion denoising (arXiv 2206.10550) in front of a public classifier, small.
#
#   results/denoised_smoothing/diffusion.sh SHARED OUT
#
# SHARED holds data/cifar10_subset and data/cifar10_jpeg (prepared TFDS data sets) and
# weights/resnet32-d509ac18.th (PyTorch is needed to read it). Trains a diffusion model
# once, which denoises noise of any sigma, and certifies every fourth of 416 lossless
# test images at sigma 0.12, 0.25 and 0.5 behind it. An hour or two on two CPU cores,
# for whose sake the model is small: a hundredth of the work of google/ddpm-cifar10-32,
# whose file takes the place of the training where it is at hand
# (`launch.convert --torch=... --arch=ddpm --out=OUT/ddpm`). A step that has finished is
# not done again, one that was interrupted goes on.
set -euo pipefail
shared=$1 out=$2
arch=${ARCH:-'{"widths": [32, 64, 64], "layers": 1, "attention": [], "groups": 8}'}
source=${SOURCE:-tfds:cifar10_jpeg:train,tfds:cifar10_subset:train}
every=${EVERY:-4} samples=${SAMPLES:-1000}
test=tfds:cifar10_subset:test
mkdir -p "$out"

. "$(dirname "$0")/../_job.sh"

public_resnet 32
[ -d "$out/ddpm" ] || {
  job train_denoiser training --data_dir="$shared/data" --source="$source" \
    --eval_source="$test" --arch=ddpm \
    --arch_options="$arch" --objective=diffusion --sigma=0.25 --epochs="${EPOCHS:-3}" \
    --batch_size=64 --learning_rate=1e-3 --schedule=cosine --clip=1 --ema=0.999
  denoiser=$out/training/model
}
for sigma in 0.12 0.25 0.5; do
  job certify "behind-$sigma" --data_dir="$shared/data" --source="$test" \
    --limit=416 --every="$every" \
    --samples="$samples" --early_stop=fast --target="$out/resnet32" --sigma="$sigma" \
    --method=denoised --denoiser="${denoiser:-$out/ddpm}"
done
python -m launch.report --runs="$out" --out="$out/report"
