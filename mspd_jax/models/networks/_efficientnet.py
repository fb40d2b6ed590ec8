"""EfficientNet-B0 to -B4 (Tan and Le 2019, arXiv 1905.11946), and EfficientNet-Lite0.

Layouts and layer orders are those of torchvision and, for the lite one, of timm, whose
checkpoints `mspd_jax.models.convert_torch` reads.
"""

import math
import re
from collections.abc import Callable, Iterator
from typing import ClassVar, NamedTuple

import jax
from flax import linen as nn

from mspd_jax.models.networks._blocks import Gate, point
from mspd_jax.models.networks._family import IMAGENET, Family
from mspd_jax.models.networks._form import (
    BLOCK_NAME,
    Classifier,
    Formed,
    Layers,
    block_places,
)
from mspd_jax.models.networks._layers import ConvNorm


class _Stage(NamedTuple):
    expansion: int
    kernel: int
    strides: int
    width: int
    blocks: int


# Table 1 of the paper: B0.
_STAGES = (
    _Stage(1, 3, 1, 16, 1),
    _Stage(6, 3, 2, 24, 2),
    _Stage(6, 5, 2, 40, 2),
    _Stage(6, 3, 2, 80, 3),
    _Stage(6, 5, 1, 112, 3),
    _Stage(6, 5, 2, 192, 4),
    _Stage(6, 3, 1, 320, 1),
)
_STEM = 32
# The last convolution makes so many times the channels of the last stage.
_WIDENING = 4
# By variant: factors of the widths and of the numbers of blocks, and the image size.
SCALES = {
    0: (1.0, 1.0, 224),
    1: (1.0, 1.1, 240),
    2: (1.1, 1.2, 288),
    3: (1.2, 1.4, 300),
    4: (1.4, 1.8, 380),
}


class InvertedBlock(Formed):
    """Wide inside: a 1x1, a depthwise and a 1x1 convolution, each normalized.

    `expansion` is how many times wider it is inside (without the first convolution if
    it is 1), `gate` the channels that the factors of a `Gate` come from (0: none). The
    input is added where shapes agree.
    """

    features: int
    strides: int
    kernel: int
    expansion: int
    gate: int
    activation: Callable[[jax.Array], jax.Array]

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        wide, y = self.expansion * x.shape[-1], x
        if self.expansion != 1:
            y = self.activation(point(self, wide, name="expand")(y, train))
        shape = {"kernel": self.kernel, "padding": _same(self.kernel), "groups": wide}
        depthwise = self.part(ConvNorm, wide, self.strides, **shape, name="depthwise")
        y = self.activation(depthwise(y, train))
        if self.gate:
            y = self.part(Gate, self.gate, self.activation, name="gate")(y)
        y = point(self, self.features, name="project")(y, train)
        added = self.strides == 1 and x.shape[-1] == self.features
        return x + y if added else y


class EfficientNet(Classifier):
    """EfficientNet-B0 to -B4: normalized images [..., H, W, C] -> logits.

    Deviation: neither dropout before the classifier nor stochastic depth in training;
    networks here are functions of their weights and images alone.
    """

    variant: int
    lite: ClassVar[bool] = False

    @nn.nowrap
    def layers(self) -> Layers:
        stages = list(scaled(self.variant))
        activation = nn.relu6 if self.lite else nn.silu
        width = rounded(_STEM * SCALES[self.variant][0])
        stem = self.part(ConvNorm, width, 2, name="stem")
        layers: Layers = {"stem": lambda x, train: activation(stem(x, train))}
        for name, index, number in block_places([stage.blocks for stage in stages]):
            stage = stages[index]
            layers[name] = self.part(
                InvertedBlock,
                stage.width,
                stage.strides if number == 0 else 1,
                stage.kernel,
                stage.expansion,
                0 if self.lite else max(1, width // 4),
                activation,
                name=name,
            )
            width = stage.width
        last = point(self, _WIDENING * width, name="last")
        return layers | {"last": lambda x, train: activation(last(x, train))}


class EfficientNetLite(EfficientNet):
    """EfficientNet-Lite0: ReLU6, and no gates."""

    lite = True


def scaled(variant: int) -> Iterator[_Stage]:
    """The stages of a variant (section 3.3)."""
    width, depth, _ = SCALES[variant]
    for stage in _STAGES:
        yield stage._replace(
            width=rounded(stage.width * width), blocks=math.ceil(stage.blocks * depth)
        )


def rounded(width: float) -> int:
    """The nearest multiple of 8, or the next one if that is less than 0.9 of it."""
    nearest = max(8, int(width + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * width else nearest


def _same(kernel: int) -> tuple[tuple[int, int], tuple[int, int]]:
    return ((kernel // 2, kernel // 2),) * 2


# Where torchvision has a layer in its block: one less in the first stage, which has no
# `expand`.
_PLACES = ("expand", "depthwise", "gate", "project")


def _torch_name(match: re.Match) -> str:
    stage, block, layer = int(match[1]), match[2], match[3]
    place = _PLACES.index(layer) - (stage == 0)
    return f"features.{stage + 1}.{block}.block.{place}/"


def _row(variant: int) -> Family:
    return Family(
        names=f"efficientnet_b{variant}",
        pattern=f"efficientnet_b(?P<variant>{variant})",
        network=EfficientNet,
        normalization=IMAGENET,
        size=SCALES[variant][-1],
        torch_names=(
            (BLOCK_NAME + r"(\w+)/", _torch_name),
            (r"^stem", "features.0"),
            (r"^last", f"features.{len(_STAGES) + 1}"),
            (r"/conv$", "/0"),
            (r"/norm$", "/1"),
            (r"/first$", "/fc1"),
            (r"/second$", "/fc2"),
            (r"^head", "classifier.1"),
        ),
    )


EFFICIENTNETS = tuple(map(_row, SCALES))
EFFICIENTNET_LITE = Family(
    names="efficientnet_lite0",
    pattern="efficientnet_lite(?P<variant>0)",
    network=EfficientNetLite,
    normalization=IMAGENET,
    size=SCALES[0][-1],
    torch_names=(
        (r"^stem/conv", "conv_stem"),
        (r"^stem/norm", "bn1"),
        (r"^last/conv", "conv_head"),
        (r"^last/norm", "bn2"),
        (r"^head", "classifier"),
        (r"depthwise/conv", "conv_dw"),
        (r"^(stage0.*)depthwise/norm", r"\1bn1"),
        (r"^(stage0.*)project/conv", r"\1conv_pw"),
        (r"^(stage0.*)project/norm", r"\1bn2"),
        (r"expand/conv", "conv_pw"),
        (r"expand/norm", "bn1"),
        (r"depthwise/norm", "bn2"),
        (r"project/conv", "conv_pwl"),
        (r"project/norm", "bn3"),
        (BLOCK_NAME, r"blocks.\1.\2."),
    ),
)
