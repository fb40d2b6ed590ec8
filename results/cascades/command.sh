#!/usr/bin/env bash
# Variants of the cascade, and what another surrogate could gain.
#
#   results/cascades/command.sh SHARED OUT
#
# SHARED is as results/external_models/command.sh wants it. LIMIT takes fewer images
# than 256, SURROGATE another one; an hour and a half on two CPU cores. What is finished is not done again.
set -euo pipefail
shared=$1 out=$2
mkdir -p "$out"

. "$(dirname "$0")/../_job.sh"

fast=${SURROGATE:-$(dirname "$0")/../networks/fast}
by=(--shared="$shared" --out="$out" --limit="${LIMIT:-256}")
page variants cascades "${by[@]}" --surrogates="$fast"
surrogates() { # FILE TARGET SURROGATES
  page "$1" cascades "${by[@]}" --targets="$2" --surrogates="$3" \
    --variant="antithetic, 8"
}
surrogates two-for-resnet4b resnet4b cnn_a_adv,oval_wide
surrogates four-for-resnet4b resnet4b $fast,cnn_a_adv,oval_wide,oval_deep
surrogates itself-for-resnet4b resnet4b resnet4b
surrogates one-for-cnn_a_adv cnn_a_adv resnet4b
surrogates four-for-cnn_a_adv cnn_a_adv resnet4b,resnet2b,oval_wide,$fast
surrogates itself-for-cnn_a_adv cnn_a_adv cnn_a_adv
