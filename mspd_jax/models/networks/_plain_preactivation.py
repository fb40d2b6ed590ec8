"""Plain Wide ResNets and PreAct ResNets: ReLUs, and padding on all sides.

The Wide ResNets are those of TRADES (Zagoruyko and Komodakis, arXiv 1605.07146), the
PreAct ResNets those of kuangliu/pytorch-cifar (He et al., arXiv 1603.05027), as
RobustBench loads them.
"""

import functools
import math

import jax
import jax.numpy as jnp
from flax import linen as nn

from mspd_jax.models.networks._cosine_head import CosineHead
from mspd_jax.models.networks._family import CIFAR10, Choice, Family, Flag, names_of
from mspd_jax.models.networks._form import BLOCK_NAME, Classifier, Layers, in_stages
from mspd_jax.models.networks._layers import ACTIVATIONS
from mspd_jax.models.networks._preactivation import (
    PREACT_BLOCKS,
    WIDE_NUMBERS,
    PreactivationBlock,
    WideResNet,
    bare_stem,
    last_norm,
    wide_fits,
)
from mspd_jax.models.networks._pssilu import PSSiLU, pssilu_in, shared_once


class PlainWideResNet(WideResNet):
    """Wide ResNet-depth-width, padded on all sides, in general with ReLUs.

    With `standardize` every image is first made to have mean 0 and deviation 1, as Ding
    et al. (arXiv 1812.02637) do; with `cosine` the logits are cosines (`CosineHead`).
    """

    same_padding: bool = False
    standardize: bool = False
    cosine: bool = False

    @nn.nowrap
    def layers(self) -> Layers:
        layers = super().layers()
        if self.standardize:
            stem = layers["stem"]
            layers["stem"] = lambda x, train: stem(_standardized(x), train)
        return layers

    @nn.nowrap
    def make_head(self) -> nn.Module:
        if not self.cosine:
            return super().make_head()
        return CosineHead(self.num_classes, name="head")


class PlainPreactResNet(Classifier):
    """PreAct ResNet-18 or -34 with ReLUs, padded on all sides, 1x1 shortcuts.

    `shortcut` is whether these read activated maps; `final_norm` whether a
    normalization and a ReLU stand before the mean over the map.
    """

    depth: int
    shortcut: bool
    final_norm: bool

    @nn.nowrap
    def layers(self) -> Layers:
        form = {"shortcut_activated": self.shortcut, "same_padding": False}
        block = functools.partial(self.part, PreactivationBlock, **form)
        layers = bare_stem(64) | in_stages(block, 64, PREACT_BLOCKS[self.depth])
        return layers | (last_norm(self, nn.relu) if self.final_norm else {})


def _standardized(x: jax.Array) -> jax.Array:
    """Images [..., H, W, C] less their mean, by their deviation (the unbiased one)."""
    axes, count = (-3, -2, -1), math.prod(x.shape[-3:])
    mean = jnp.mean(x, axis=axes, keepdims=True)
    deviation = jnp.std(x, axis=axes, keepdims=True, ddof=1)
    return (x - mean) / jnp.maximum(deviation, 1 / math.sqrt(count))


_PLAIN_NAMES = (
    (r"^stem", "conv1"),
    (r"first/conv", "conv1"),
    (r"first/norm", "bn2"),
    (r"second", "conv2"),
    (r"norm0", "bn1"),
)
# Of TRADES.
PLAIN_WIDE_RESNET = Family(
    names="plain_wide_resnet<depth>_<width>",
    pattern=rf"plain_wide_resnet{WIDE_NUMBERS}",
    network=PlainWideResNet,
    options={
        "activation": Choice("relu", ACTIVATIONS | {"pssilu": PSSiLU()}),
        "standardize": Flag(False),
        "cosine": Flag(False),
    },
    torch_names=(
        (BLOCK_NAME, lambda match: f"block{int(match[1]) + 1}.layer.{match[2]}."),
        *_PLAIN_NAMES,
        (r"shortcut", "convShortcut"),
        (r"^norm", "bn1"),
        (r"^head", "fc"),
    ),
    unused=r"sub_block1\..*",
    canonical=shared_once,
    options_in=pssilu_in,
    fits=wide_fits,
)
# Of kuangliu/pytorch-cifar.
PLAIN_PREACT_RESNET = Family(
    names="plain_preact_resnet18, plain_preact_resnet34",
    pattern=rf"plain_preact_resnet(?P<depth>{names_of(PREACT_BLOCKS)})",
    network=PlainPreactResNet,
    options={
        "shortcut": Choice("raw", {"raw": False, "activated": True}),
        "final_norm": Flag(False),
    },
    normalization=CIFAR10,
    torch_names=(
        (BLOCK_NAME, lambda match: f"layer{int(match[1]) + 1}.{match[2]}."),
        *_PLAIN_NAMES,
        (r"shortcut", "shortcut.0"),
        (r"^norm", "bn"),
        (r"^head", "linear"),
    ),
    # Its first two layers once more, in a file of Andriushchenko et al. (NeurIPS 2020).
    unused=r"model_preact_hl1\..*",
    options_in=lambda tensors: {"final_norm": "bn.weight" in tensors},
)
