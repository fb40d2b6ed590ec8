"""PreAct ResNets and Wide ResNets of DeepMind's robust models, and their parts.

Those of Gowal et al. (arXiv 2010.03593, 2110.09468) and Rebuffi et al. (arXiv
2103.01946) differ from the plain ones (`_plain_preactivation.py`) in three ways:
strided 3x3 convolutions pad below and to the right only, so that the weights of one
variant fit into the other and give other logits; the PreAct shortcut is a 3x3
convolution of the raw input; the activation is SiLU or ReLU. As RobustBench loads them.
"""

import functools
from collections.abc import Callable

import jax
from flax import linen as nn

from mspd_jax.models.networks._blocks import Gate
from mspd_jax.models.networks._family import (
    CIFAR10,
    Family,
    Flag,
    activation,
    names_of,
)
from mspd_jax.models.networks._form import (
    BLOCK_NAME,
    Classifier,
    Formed,
    Layers,
    in_stages,
)
from mspd_jax.models.networks._layers import (
    NORM_MOMENTUM,
    SAME_PADDING,
    SYMMETRIC_PADDING,
    ConvNorm,
    Norm,
    conv,
)
from mspd_jax.models.networks._mean_sparse import COUNTERS, MeanSparse, sparse_in

PREACT_BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}


class PreactivationBlock(Formed):
    """shortcut(x) + conv(act(norm(conv(act(norm(x)))))).

    Where the block changes the shape, the shortcut is a convolution: of act(norm(x)) if
    `shortcut_activated`, of x itself otherwise. `same_padding` is whether a strided 3x3
    convolution pads below and to the right only, or on all sides. `gate` is the number
    of channels that the factors of a `Gate` at the end of the branch come from; 0 is
    none. With `sparse` a `MeanSparse` follows each norm and the sum.
    """

    features: int
    strides: int
    activation: Callable[[jax.Array], jax.Array] = nn.relu
    shortcut_kernel: int = 1
    shortcut_activated: bool = True
    same_padding: bool = True
    gate: int = 0
    momentum: float = NORM_MOMENTUM
    sparse: bool = False

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        momentum = {"momentum": self.momentum}
        padding = SAME_PADDING[self.strides] if self.same_padding else SYMMETRIC_PADDING
        shape = (self.features, self.strides, padding)
        first = self.part(ConvNorm, *shape, **momentum, name="first")
        norm = self.part(Norm, **momentum, name="norm0")
        sparse0, sparse1, sparse2 = (
            self.part(MeanSparse, self.sparse, name=f"sparse{n}") for n in range(3)
        )
        active = self.activation(sparse0(norm(x, train)))
        y = self.activation(sparse1(first(active, train)))
        y = conv(self.features, name="second")(y)
        if self.gate:
            y = self.part(Gate, self.gate, nn.relu, name="gate")(y)
        if x.shape[-1] == self.features and self.strides == 1:
            return sparse2(x + y)
        shortcut = conv(
            self.features,
            kernel=self.shortcut_kernel,
            strides=self.strides,
            padding="VALID" if self.shortcut_kernel == 1 else padding,
            name="shortcut",
        )
        return sparse2(shortcut(active if self.shortcut_activated else x) + y)


class PreactResNet(Classifier):
    """PreAct ResNet-18 or -34: normalized images [..., H, W, C] -> logits."""

    depth: int
    activation: Callable[[jax.Array], jax.Array]

    @nn.nowrap
    def layers(self) -> Layers:
        form = {"activation": self.activation, "shortcut_kernel": 3}
        block = functools.partial(
            self.part, PreactivationBlock, shortcut_activated=False, **form
        )
        stages = in_stages(block, 64, PREACT_BLOCKS[self.depth])
        return bare_stem(64) | stages | last_norm(self, self.activation)


class WideResNet(Classifier):
    """Wide ResNet-depth-width: normalized images [..., H, W, C] -> logits.

    `same_padding` and `sparse` are those of its blocks; the last norm is as theirs.
    """

    depth: int
    width: int
    activation: Callable[[jax.Array], jax.Array] = nn.relu
    same_padding: bool = True
    sparse: bool = False

    @nn.nowrap
    def layers(self) -> Layers:
        form = {"activation": self.activation, "same_padding": self.same_padding}
        block = functools.partial(
            self.part, PreactivationBlock, sparse=self.sparse, **form
        )
        blocks = 3 * [(self.depth - 4) // 6]
        stages = in_stages(block, 16 * self.width, blocks)
        last = last_norm(self, self.activation, sparse=self.sparse)
        return bare_stem(16) | stages | last


def bare_stem(width: int) -> Layers:
    """A convolution that nothing follows: the first block normalizes."""
    first = conv(width, name="stem")
    return {"stem": lambda x, train: first(x)}


def last_norm(
    network: Formed,
    activation: Callable[[jax.Array], jax.Array],
    *,
    momentum: float = NORM_MOMENTUM,
    sparse: bool = False,
) -> Layers:
    """What stands behind the last block: its sum is not normalized."""
    norm = network.part(Norm, momentum=momentum, name="norm")
    sparsified = network.part(MeanSparse, sparse, name="sparse")
    return {"norm": lambda x, train: activation(sparsified(norm(x, train)))}


DEEPMIND_NAMES = (
    (r"first/norm", "batchnorm_1"),
    (r"norm0", "batchnorm_0"),
    (r"^norm", "batchnorm"),
    (r"sparse(\d)", r"meansparse_\1"),
    (r"^sparse", "meansparse_end"),
    (r"^head", "logits"),
)
WIDE_NUMBERS = r"(?P<depth>[1-9]\d{1,3})_(?P<width>[1-9]\d{0,2})"


def wide_fits(numbers: dict[str, int]) -> bool:
    """Whether there is a Wide ResNet of such a depth."""
    return numbers["depth"] % 6 == 4


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
        *DEEPMIND_NAMES,
    ),
)
WIDE_RESNET = Family(
    names="wide_resnet<depth>_<width> (as in wide_resnet28_10; depth = 10, 16, ...)",
    pattern=rf"wide_resnet{WIDE_NUMBERS}",
    network=WideResNet,
    options={"activation": activation("silu"), "sparse": Flag(False)},
    normalization=CIFAR10,
    torch_names=(
        (BLOCK_NAME, r"layer.\1.block.\2."),
        (r"^stem", "init_conv"),
        (r"first/conv", "conv_0"),
        (r"second", "conv_1"),
        *DEEPMIND_NAMES,
    ),
    unused=COUNTERS,
    options_in=sparse_in,
    fits=wide_fits,
)
