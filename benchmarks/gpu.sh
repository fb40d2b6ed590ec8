#!/usr/bin/env bash
# The benchmarks on an accelerator, against PyTorch on the same, a page each; resumable.
#
#   benchmarks/gpu.sh OUT [SHARED]
#
# Writes OUT/passes.md, training.md, attacks.md, mspd.md, smoothing.md and, where SHARED
# holds data/cifar10_subset and torchattacks is installed, autoattack.md. Both sides
# multiply in full float32. A page that is there is not made again. DRY=1 takes tiny
# sizes, to see on any machine that all of it runs: its figures say nothing.
set -euo pipefail
out=$1 shared=${2:-}
export JAX_DEFAULT_MATMUL_PRECISION=highest
mkdir -p "$out"

. "$(dirname "$0")/../results/_job.sh"

if [ -n "${DRY:-}" ]; then
  page passes passes --networks=resnet20:2 --seconds=0.1
  page training training --batch=8 --seconds=0.1
  page attacks attacks --images=2 --seconds=0.1 --comparisons=pgd --attacks=fgsm
  page mspd mspd --batches=1 --samples=2 --memory=2 --seconds=0.1
  page smoothing smoothing --samples=64 --seconds=0.1
  [ -z "$shared" ] || page autoattack autoattack --images=1 --data_dir="$shared/data"
  exit
fi
page passes passes --networks=resnet20:4096,preact_resnet18:1024,wide_resnet28_10:256
page training training --batch=512
page attacks attacks --images=2048
page mspd mspd --batches=1,32,256
page smoothing smoothing
[ -z "$shared" ] || page autoattack autoattack --images=512 --data_dir="$shared/data"
