"""PreAct ResNet-18 of binary tickets (Diffenderfer et al. 2021, arXiv 2106.09129).

Layout and layer order are those in which RobustBench loads them. No normalization has a
scale and a bias of its own, and the classifier is a 1x1 convolution without a bias. The
weights, each of them one of few values, are convolved with as they are.
"""

import functools
from collections.abc import Mapping

import jax
import numpy as np
from flax import linen as nn

from mspd_jax.models.networks._family import (
    CIFAR10,
    Family,
    Numbers,
    blocks_in,
    shape_in,
)
from mspd_jax.models.networks._form import (
    BLOCK_NAME,
    Classifier,
    Formed,
    Layers,
    block_places,
)
from mspd_jax.models.networks._layers import ConvNorm, Norm, conv
from mspd_jax.models.networks._preactivation import bare_stem

_STAGES = 4


class UnscaledBlock(Formed):
    """shortcut(active) + conv(relu(norm(conv(active)))), with active = relu(norm(x)).

    Where the block changes the shape, the shortcut is a normalized 1x1 convolution; it
    also reads `active` where it is the identity.
    """

    features: int
    strides: int

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        unscaled = functools.partial(
            self.part, ConvNorm, self.features, self.strides, affine=False
        )
        active = nn.relu(self.part(Norm, affine=False, name="norm0")(x, train))
        y = nn.relu(unscaled(name="first")(active, train))
        y = conv(self.features, name="second")(y)
        if x.shape[-1] == self.features and self.strides == 1:
            return active + y
        shortcut = unscaled(kernel=1, padding="VALID", name="shortcut")
        return shortcut(active, train) + y


class BinaryPreactResNet(Classifier):
    """PreAct ResNet of `UnscaledBlock`s: normalized images [..., H, W, C] -> logits.

    `blocks` and `widths` have a number for each of four stages; the stem is as wide as
    the first of them, and all others begin with a stride of 2.
    """

    blocks: tuple[int, ...]
    widths: tuple[int, ...]

    @nn.nowrap
    def layers(self) -> Layers:
        layers = bare_stem(self.widths[0])
        for name, stage, number in block_places(self.blocks):
            strides = 2 if stage > 0 and number == 0 else 1
            layers[name] = self.part(
                UnscaledBlock, self.widths[stage], strides, name=name
            )
        norm = self.part(Norm, affine=False, name="norm")
        return layers | {"norm": lambda x, train: nn.relu(norm(x, train))}

    @nn.nowrap
    def make_head(self) -> nn.Module:
        return nn.Dense(self.num_classes, use_bias=False, name="head")


def _dense_head(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The 1x1 convolution of a mean over the map as the dense layer that it is."""
    named = dict(tensors)
    head = named.get("fc.weight")
    if head is not None and head.shape[2:] == (1, 1):
        named["fc.weight"] = head[..., 0, 0]
    return named


def _options_in(tensors: Mapping[str, np.ndarray]) -> dict:
    names = [f"layer{stage + 1}.0.conv1.weight" for stage in range(_STAGES)]
    return {
        "blocks": blocks_in(tensors, r"layer(\d)\.\d+\.conv1\.weight")[1:],
        "widths": [shape_in(tensors, name, 4)[0] for name in names],
    }


BINARY_PREACT_RESNET = Family(
    names="binary_preact_resnet18",
    pattern="binary_preact_resnet18",
    network=BinaryPreactResNet,
    options={
        "blocks": Numbers((2, 2, 2, 2), length=_STAGES),
        "widths": Numbers((64, 192, 384, 768), length=_STAGES),
    },
    normalization=CIFAR10,
    torch_names=(
        (BLOCK_NAME, lambda match: f"layer{int(match[1]) + 1}.{match[2]}."),
        (r"shortcut/conv", "shortcut.0"),
        (r"shortcut/norm", "shortcut.1"),
        (r"^stem|first/conv", "conv1"),
        (r"first/norm", "bn2"),
        (r"second", "conv2"),
        (r"norm0|^norm", "bn1"),
        (r"^head", "fc"),
    ),
    # What chose the weights.
    unused=r".*\.scores",
    canonical=_dense_head,
    options_in=_options_in,
)
