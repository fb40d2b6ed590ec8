"""RaWRN-101-2 (Peng et al. 2023, arXiv 2308.16258): gated bottlenecks for ImageNet.

Layout and layer order are those in which RobustBench loads it. RaWRN-70-16, its
relative for CIFAR, has other blocks (`_staged_wide.py`).
"""

import functools
import re
from collections.abc import Mapping

import jax
import numpy as np
from flax import linen as nn

from mspd_jax.models.networks._blocks import Gate, point, projected_shortcut
from mspd_jax.models.networks._family import (
    IMAGENET,
    Family,
    Numbers,
    blocks_in,
    respelled,
    shape_in,
)
from mspd_jax.models.networks._form import (
    BLOCK_NAME,
    Classifier,
    Formed,
    Layers,
    block_places,
    rectified,
)
from mspd_jax.models.networks._layers import ConvNorm, conv

_STAGES = 4
_STEM = 96
# Of the 3x3 convolutions, whose channels are one of so many at the end of a block; and
# so many channels of a block's input make one of those that its factors come from.
_GROUPS, _NARROWING = 2, 4


class GatedBottleneck(Formed):
    """A bottleneck with SiLUs and a `Gate`, normalized behind its last two layers.

        silu(shortcut(x) + norm(point(gate(silu(norm(conv(silu(point(x)))))))))

    with 1x1 convolutions `point` and one of 3x3 in two groups of channels, strided.
    """

    features: int
    strides: int

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        narrow = round(self.features / _NARROWING)
        y = conv(narrow, kernel=1, padding="VALID", name="first")(x)
        shape = {"strides": self.strides, "groups": _GROUPS}
        middle = self.part(ConvNorm, narrow, **shape, name="second")
        y = nn.silu(middle(nn.silu(y), train))
        gate = self.part(Gate, round(x.shape[-1] / _NARROWING), nn.relu, name="gate")
        y = point(self, self.features, name="third")(gate(y), train)
        return nn.silu(projected_shortcut(self, x, y, train) + y)


class GatedBottleneckResNet(Classifier):
    """RaWRN-101-2: normalized images [..., H, W, C] of any size -> logits.

    A 7x7 convolution and four stages, each of which halves the map; `blocks` and
    `widths` have a number for each of the stages.
    """

    blocks: tuple[int, ...]
    widths: tuple[int, ...]

    @nn.nowrap
    def layers(self) -> Layers:
        shape = (_STEM, 2, ((3, 3), (3, 3)))
        stem = self.part(ConvNorm, *shape, kernel=7, name="stem")
        layers: Layers = {"stem": functools.partial(rectified, stem)}
        for name, stage, number in block_places(self.blocks):
            strides = 2 if number == 0 else 1
            block = (self.widths[stage], strides)
            layers[name] = self.part(GatedBottleneck, *block, name=name)
        return layers


def _options_in(tensors: Mapping[str, np.ndarray]) -> dict:
    """Blocks and widths; stages have numbers from 1."""
    last = "stages.stage{0}.stage{0}-block0.F.c.0.weight"
    names = [last.format(stage + 1) for stage in range(_STAGES)]
    widths = [shape_in(tensors, name, 4)[0] for name in names]
    firsts = r"stages\.stage(\d)\.stage\d-block\d+\.F\.a\.0\.weight"
    return {"widths": widths, "blocks": blocks_in(tensors, firsts)[1:]}


def _block(match: re.Match) -> str:
    stage = int(match[1]) + 1
    return f"stages.stage{stage}.stage{stage}-block{match[2]}."


RA_WRN_101 = Family(
    names="ra_wrn101_2 (for ImageNet)",
    pattern="ra_wrn101_2",
    network=GatedBottleneckResNet,
    options={
        "blocks": Numbers((7, 11, 18, 1), length=_STAGES),
        "widths": Numbers((512, 1024, 2016, 4032), length=_STAGES),
    },
    normalization=IMAGENET,
    size=224,
    torch_names=(
        (BLOCK_NAME, _block),
        (r"gate/first", "F.se.fc1"),
        (r"gate/second", "F.se.fc2"),
        (r"first", "F.a.0"),
        (r"second/conv", "F.b.0"),
        (r"second/norm", "F.b.1"),
        (r"third/conv", "F.c.0"),
        (r"third/norm", "F.c.1"),
        (r"shortcut/conv", "proj.0"),
        (r"shortcut/norm", "proj.1"),
        (r"^stem/conv", "stem.stem.stem.0"),
        (r"^stem/norm", "stem.stem.stem.1"),
        (r"^head", "fc"),
    ),
    canonical=respelled((r"^normalization\.", "")),
    options_in=_options_in,
)
