#!/usr/bin/env bash
# What protection of the images adds to defenses that certify.
#
#   results/combination/command.sh SHARED OUT
#
# SHARED is as results/external_models/command.sh wants it; results/networks holds the
# targets (NETWORKS names another folder of them). Protects lossless CIFAR-10 test images
# by the surrogate that ships, for the labels of a public ResNet-32, and certifies
# originals and protected images alike:
#
#   smoothed   a network that learned under noise, and one that learned against attacks
#              (TRADES), with votes under noise of sigma 0.12 and 0.25, n = 1,000
#   denoised   the public ResNet-32, which never saw noise, behind a denoiser that is
#              trained for it here (30 epochs on 5,000 images, a quarter of an hour)
#   patches    5x5 patches, Minority Reports and ScaleCert with 6x6 windows, by networks
#              that are trained here under hidden windows (2 epochs)
#
# An hour and a half on two CPU cores; LIMIT takes fewer images than 256, NOISY fewer
# before the denoiser. A step that has finished is not done again, one that was
# interrupted goes on.
set -euo pipefail
shared=$1 out=$2
limit=${LIMIT:-256} noisy=${NOISY:-256}
networks=${NETWORKS:-$(dirname "$0")/../networks}
data=(--data_dir="$shared/data")
test=(--source=tfds:cifar10_subset:test "${data[@]}")
learn=(--source=tfds:cifar10_jpeg:train,tfds:cifar10_subset:train "${data[@]}"
  --eval_source=tfds:cifar10_subset:test --eval_limit="$limit")
mkdir -p "$out"

. "$(dirname "$0")/../_job.sh"

for depth in 20 32; do public_resnet $depth; done
job protect protected "${test[@]}" --limit="$limit" --eps=8/255 \
  --surrogate=cifar10_resnet20_robust --labeler="$out/resnet32"
job train_denoiser denoiser --source=tfds:cifar10_subset:train "${data[@]}" \
  --eval_source=tfds:cifar10_subset:test --objective=mse --arch=dncnn --sigma=0.25 \
  --arch_options='{"depth": 10, "width": 32}' --epochs=30 --batch_size=64 \
  --learning_rate=2e-3 --schedule=cosine
occlude=("${learn[@]}" --init="$out/resnet20" --occlude=9 --epochs=2
  --learning_rate=0.02)
job train_classifier pixels "${occlude[@]}"
job train_classifier stem "${occlude[@]}" --occlude_at=stem --keep=1

both() { # FOLDER FLAGS...: originals and protected images
  local folder=$1
  shift
  job certify "$folder/unprotected" "${test[@]}" "$@"
  job certify "$folder/protected" --source="folder:$out/protected" "$@"
}
patch=(--limit="$limit" --patch=5 --windows=6)
both patches/minority "${patch[@]}" --method=minority --target="$out/pixels/model"
both patches/scalecert "${patch[@]}" --method=scalecert --keep=1 \
  --target="$out/stem/model"
votes=(--samples=1000 --early_stop=fast)
for name in noise trades; do
  for sigma in 0.12 0.25; do
    both "smoothed/$name-$sigma" "${votes[@]}" --limit="$limit" --sigma=$sigma \
      --target="$networks/$name"
  done
done
both denoised/0.25 "${votes[@]}" --limit="$noisy" --sigma=0.25 --method=denoised \
  --denoiser="$out/denoiser" --target="$out/resnet32"
python -m launch.report --runs="$out" --out="$out/report" --images=0
