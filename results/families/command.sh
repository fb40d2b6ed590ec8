#!/usr/bin/env bash
# Speed of families of networks beside the PyTorch code that publishes them.
#
#   results/families/command.sh SHARED OUT
#
# Needs PyTorch, torchvision, timm and robustbench; SHARED is not used.
set -euo pipefail
out=$2
mkdir -p "$out"

. "$(dirname "$0")/../_job.sh"

page small families --seconds=3 \
  --compiled=preact_resnet18,wide_resnet28_10,resnext29_4x32d
page larger families --seconds=1 --compiled= \
  --networks=resnet50,vit_small,convnext_tiny,alexnet,lrr_resnet18
page more families --seconds=1 --compiled= --networks=convnext_tiny_convstem,\
vit_small_convstem,xcit_small_12_p16,plain_wide_resnet34_10,robust_wide_resnet,\
deit_small,wide_resnet50_2,bagnet17
page later families --seconds=0.5 --compiled= --networks=efficientnet_lite0,resnest50
page vgg families --seconds=0.3 --compiled= --networks=vgg19_bn
