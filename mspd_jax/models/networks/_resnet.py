"""The ResNets of He et al. 2016 (arXiv 1512.03385), for CIFAR and for ImageNet.

Layouts and layer orders are those of akamaster/pytorch_resnet_cifar10 and of
torchvision, whose checkpoints `mspd_jax.models.convert_torch` reads.
"""

import functools
from collections.abc import Mapping

import numpy as np
from flax import linen as nn

from mspd_jax.models.networks._blocks import (
    TORCH_NAMES,
    BasicBlock,
    Bottleneck,
    padded_shortcut,
)
from mspd_jax.models.networks._family import CIFAR10, IMAGENET, Family, Number, names_of
from mspd_jax.models.networks._form import Classifier, Layers, in_stages
from mspd_jax.models.networks._layers import SYMMETRIC_PADDING, ConvNorm, largest

# By depth: the kind of block, and how many of them each stage has.
IMAGENET_STAGES = {
    18: (BasicBlock, (2, 2, 2, 2)),
    34: (BasicBlock, (3, 4, 6, 3)),
    50: (Bottleneck, (3, 4, 6, 3)),
    101: (Bottleneck, (3, 4, 23, 3)),
    152: (Bottleneck, (3, 8, 36, 3)),
}


class ResNet(Classifier):
    """CIFAR ResNet-20/32/44/56/110 (section 4.2), shortcut option A.

    Three stages of n = (depth - 2) / 6 basic blocks with 16, 32 and 64 channels. A
    shortcut that changes the shape has no weights: every second pixel, and zero
    channels around.
    """

    depth: int

    @nn.nowrap
    def layers(self) -> Layers:
        stem = self.part(ConvNorm, 16, name="stem")
        block = functools.partial(self.part, BasicBlock, shortcut=padded_shortcut)
        layers: Layers = {"stem": lambda x, train: nn.relu(stem(x, train))}
        return layers | in_stages(block, 16, 3 * [(self.depth - 2) // 6])


class ImageNetResNet(Classifier):
    """ImageNet ResNet-18/34/50/101/152 (section 4.1), shortcut option B.

    A 7x7 convolution and a max pool, then four stages of basic or bottleneck blocks. A
    shortcut that changes the shape is a normalized 1x1 convolution. `width` is the
    number of channels after the stem; each stage has twice as many as the one before.
    Images may have any size; maps are 32 times smaller at the end. The 3x3 convolutions
    of the wide ones have `inner` times the channels (Zagoruyko et al. 2016, arXiv
    1605.07146).

    Deviation: a bottleneck has its stride in the 3x3 convolution, as in torchvision
    (known as v1.5), where the paper has it in the 1x1 convolution before.
    """

    depth: int
    width: int
    inner: int = 1

    @nn.nowrap
    def layers(self) -> Layers:
        shape = (self.width, 2, ((3, 3), (3, 3)))
        stem = self.part(ConvNorm, *shape, kernel=7, name="stem")
        kind, blocks = IMAGENET_STAGES[self.depth]
        layers: Layers = {
            "stem": lambda x, train: nn.relu(stem(x, train)),
            "pool": lambda x, train: largest(x, 3, 2, SYMMETRIC_PADDING),
        }
        form = {} if self.inner == 1 else {"group_width": 64 * self.inner}
        block = functools.partial(self.part, kind, **form)
        return layers | in_stages(block, self.width, blocks)


class CifarResNet(Classifier):
    """ResNet-18 to -152 for small images: the stem is a 3x3 convolution, no pool."""

    depth: int
    width: int

    @nn.nowrap
    def layers(self) -> Layers:
        stem = self.part(ConvNorm, self.width, name="stem")
        kind, blocks = IMAGENET_STAGES[self.depth]
        layers: Layers = {"stem": lambda x, train: nn.relu(stem(x, train))}
        block = functools.partial(self.part, kind)
        return layers | in_stages(block, self.width, blocks)


def imagenet_options(tensors: Mapping[str, np.ndarray]) -> dict:
    """The width, where the tensors have one."""
    stem = tensors.get("conv1.weight")
    return {} if stem is None or stem.ndim != 4 else {"width": int(stem.shape[0])}


RESNET = Family(
    names="resnet20, resnet32, resnet44, resnet56, resnet110",
    pattern=r"resnet(?P<depth>20|32|44|56|110)",
    network=ResNet,
    normalization=IMAGENET,
    torch_names=(*TORCH_NAMES, (r"^head", "linear")),
)
IMAGENET_RESNET = Family(
    names="resnet18, resnet34, resnet50, resnet101, resnet152 (for ImageNet)",
    pattern=rf"resnet(?P<depth>{names_of(IMAGENET_STAGES)})",
    network=ImageNetResNet,
    options={"width": Number(64)},
    normalization=IMAGENET,
    size=224,
    torch_names=(*TORCH_NAMES, (r"^head", "fc")),
    options_in=imagenet_options,
)
IMAGENET_WIDE_RESNET = IMAGENET_RESNET._replace(
    names="wide_resnet50_2, wide_resnet101_2 (for ImageNet)",
    pattern=r"wide_resnet(?P<depth>50|101)_(?P<inner>2)",
)
# kuangliu/pytorch-cifar.
CIFAR_RESNET = Family(
    names="cifar_resnet18, cifar_resnet34, cifar_resnet50, cifar_resnet101, "
    "cifar_resnet152",
    pattern=rf"cifar_resnet(?P<depth>{names_of(IMAGENET_STAGES)})",
    network=CifarResNet,
    options={"width": Number(64)},
    normalization=CIFAR10,
    torch_names=(
        (r"shortcut/conv", "shortcut.0"),
        (r"shortcut/norm", "shortcut.1"),
        *TORCH_NAMES,
        (r"^head", "linear"),
    ),
    options_in=imagenet_options,
)
# With torchvision's names, after lottery tickets (Diffenderfer et al. 2021, arXiv
# 2106.09129): what chose the weights is in the file, too.
LRR_RESNET = CIFAR_RESNET._replace(
    names="lrr_resnet18",
    pattern="lrr_resnet(?P<depth>18)",
    options={"width": Number(128)},
    torch_names=(*TORCH_NAMES, (r"^head", "fc")),
    unused=r".*\.scores",
)
