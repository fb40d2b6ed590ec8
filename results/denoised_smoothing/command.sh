#!/usr/bin/env bash
# Denoised smoothing of a public classifier, from data to the table in results/.
#
#   results/denoised_smoothing/command.sh SHARED OUT
#
# SHARED holds data/cifar10_subset (a prepared TFDS data set) and
# weights/resnet32-d509ac18.th (PyTorch is needed to read it). Trains a denoiser on
# noise of sigma 0.25 by mean squared error, another from that by stability, and
# certifies every fourth of 416 lossless test images, n = 10,000, without a denoiser and
# with each. An hour and a half on two CPU cores. What is trained is small, for their
# sake; on a GPU the published sizes (not the schedule) are
#
#   ARCH='{}' SOURCE=tfds:cifar10:train EPOCHS_MSE=90 EPOCHS_STAB=20 BATCH=256 RATE=1e-3
#
# (with `SHARED/data` holding cifar10). A step that has finished is not done again, one
# that was interrupted goes on.
set -euo pipefail
shared=$1 out=$2
arch=${ARCH:-'{"depth": 10, "width": 32}'}
source=${SOURCE:-tfds:cifar10_subset:train}
batch=${BATCH:-64} rate=${RATE:-2e-3}
every=${EVERY:-4} samples=${SAMPLES:-10000}
data=(--data_dir="$shared/data" --sigma=0.25)
test=tfds:cifar10_subset:test
mkdir -p "$out"

. "$(dirname "$0")/../_job.sh"

public_resnet 32
train=("${data[@]}" --source="$source" --eval_source="$test" --batch_size="$batch"
  --schedule=cosine)
job train_denoiser mse "${train[@]}" --objective=mse --arch=dncnn \
  --arch_options="$arch" --epochs="${EPOCHS_MSE:-30}" --learning_rate="$rate"
job train_denoiser stab "${train[@]}" --objective=stab --init="$out/mse" \
  --classifier="$out/resnet32" --epochs="${EPOCHS_STAB:-15}" --learning_rate=1e-4 \
  --clip=1 --warmup_epochs=0.5

certify=("${data[@]}" --source="$test" --limit=416 --every="$every"
  --samples="$samples" --early_stop=fast --target="$out/resnet32")
job certify plain "${certify[@]}"
for denoiser in mse stab; do
  job certify "with-$denoiser" "${certify[@]}" --method=denoised \
    --denoiser="$out/$denoiser"
done
python -m launch.report --out="$out/report" \
  --runs="$out/plain,$out/with-mse,$out/with-stab"
