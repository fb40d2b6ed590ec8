"""PreAct ResNet and Wide ResNet in the variant of DeepMind's robust models.

The networks of Gowal et al. (arXiv 2010.03593, 2110.09468) and Rebuffi et al. (arXiv
2103.01946), as RobustBench loads them. They differ from the common ones in three ways:
strided 3x3 convolutions pad below and to the right only; the PreAct shortcut is a 3x3
convolution of the raw input, the Wide one a 1x1 convolution of the activated input; the
activation is SiLU or ReLU.
"""

import functools
from collections.abc import Callable, Sequence

import jax
from flax import linen as nn

from mspd_jax.models.networks._family import CIFAR10, Family, activation, names_of
from mspd_jax.models.networks._form import (
    BLOCK_NAME,
    Classifier,
    Formed,
    Layers,
    in_stages,
)
from mspd_jax.models.networks._layers import SAME_PADDING, ConvNorm, Norm, conv

PREACT_BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}


class PreactivationBlock(Formed):
    """shortcut(x) + conv(act(norm(conv(act(norm(x)))))).

    `wide` decides what stands in the shortcut where the number of channels changes: a
    1x1 convolution of act(norm(x)) if true, a 3x3 convolution of x itself otherwise.
    """

    features: int
    strides: int
    activation: Callable[[jax.Array], jax.Array]
    wide: bool

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        strides, padding = self.strides, SAME_PADDING[self.strides]
        first = self.part(ConvNorm, self.features, strides, padding, name="first")
        active = self.activation(self.part(Norm, name="norm0")(x, train))
        y = first(active, train)
        y = conv(self.features, name="second")(self.activation(y))
        if x.shape[-1] == self.features:
            return x + y
        shape = {"kernel": 1, "padding": "VALID"} if self.wide else {"padding": padding}
        shortcut = conv(self.features, strides=strides, **shape, name="shortcut")
        return shortcut(active if self.wide else x) + y


class PreactResNet(Classifier):
    """PreAct ResNet-18 or -34: normalized images [..., H, W, C] -> logits."""

    depth: int
    activation: Callable[[jax.Array], jax.Array]

    @nn.nowrap
    def layers(self) -> Layers:
        blocks = PREACT_BLOCKS[self.depth]
        return _layers(self, stem=64, width=64, blocks=blocks, wide=False)


class WideResNet(Classifier):
    """Wide ResNet-depth-width: normalized images [..., H, W, C] -> logits."""

    depth: int
    width: int
    activation: Callable[[jax.Array], jax.Array]

    @nn.nowrap
    def layers(self) -> Layers:
        blocks = 3 * [(self.depth - 4) // 6]
        return _layers(self, stem=16, width=16 * self.width, blocks=blocks, wide=True)


def _layers(
    network: PreactResNet | WideResNet,
    *,
    stem: int,
    width: int,
    blocks: Sequence[int],
    wide: bool,
) -> Layers:
    form = {"activation": network.activation, "wide": wide}
    block = functools.partial(network.part, PreactivationBlock, **form)
    first, norm = conv(stem, name="stem"), network.part(Norm, name="norm")
    return {
        "stem": lambda x, train: first(x),
        **in_stages(block, width, blocks),
        "norm": lambda x, train: network.activation(norm(x, train)),
    }


_TORCH_NAMES = (
    (r"first/norm", "batchnorm_1"),
    (r"norm0", "batchnorm_0"),
    (r"^norm", "batchnorm"),
    (r"^head", "logits"),
)
# Names as in RobustBench's DMPreActResNet and DMWideResNet.
PREACT_RESNET = Family(
    names="preact_resnet18, preact_resnet34",
    pattern=rf"preact_resnet(?P<depth>{names_of(PREACT_BLOCKS)})",
    network=PreactResNet,
    options={"activation": activation("silu")},
    normalization=CIFAR10,
    torch_names=(
        (BLOCK_NAME, r"layer_\1.\2."),
        (r"^stem", "conv_2d"),
        (r"first/conv", "conv_2d_1"),
        (r"second", "conv_2d_2"),
        *_TORCH_NAMES,
    ),
)
WIDE_RESNET = Family(
    names="wide_resnet<depth>_<width> (as in wide_resnet28_10; depth = 10, 16, ...)",
    pattern=r"wide_resnet(?P<depth>[1-9]\d{1,3})_(?P<width>[1-9]\d{0,2})",
    network=WideResNet,
    options={"activation": activation("silu")},
    normalization=CIFAR10,
    torch_names=(
        (BLOCK_NAME, r"layer.\1.block.\2."),
        (r"^stem", "init_conv"),
        (r"first/conv", "conv_0"),
        (r"second", "conv_1"),
        *_TORCH_NAMES,
    ),
    fits=lambda numbers: numbers["depth"] % 6 == 4,
)
