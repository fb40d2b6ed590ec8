"""A pre-activated ResNet-50 (Chen et al. 2020, arXiv 2003.12862) for small images.

Layout and layer order are those in which RobustBench loads the members of its
Chen2020Adversarial. They differ from those of He et al. (arXiv 1603.05027): the stem is
normalized and activated, a shortcut that changes the shape is normalized, and the sum
of the last block is not.
"""

import functools
from collections.abc import Mapping

import jax
import numpy as np
from flax import linen as nn

from mspd_jax.models.networks._blocks import EXPANSION, TORCH_NAMES, point
from mspd_jax.models.networks._family import (
    IMAGENET,
    Family,
    Number,
    Numbers,
    blocks_in,
)
from mspd_jax.models.networks._form import (
    Classifier,
    Formed,
    Layers,
    in_stages,
    rectified,
)
from mspd_jax.models.networks._layers import ConvNorm, Norm, conv
from mspd_jax.models.networks._resnet import imagenet_options


class PreactivationBottleneck(Formed):
    """shortcut(x) + conv(relu(norm(conv(relu(norm(conv(active))))))).

    `active` is relu(norm(x)); the convolutions are 1x1, 3x3 and 1x1. Where the block
    changes the shape, the shortcut is a normalized 1x1 convolution of `active`.
    """

    features: int
    strides: int

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        wide = EXPANSION * self.features
        active = nn.relu(self.part(Norm, name="norm0")(x, train))
        middle = self.part(ConvNorm, self.features, self.strides, name="second")
        y = nn.relu(point(self, self.features, name="first")(active, train))
        y = nn.relu(middle(y, train))
        y = conv(wide, kernel=1, padding="VALID", name="third")(y)
        if x.shape[-1] == wide and self.strides == 1:
            return x + y
        return point(self, wide, self.strides, name="shortcut")(active, train) + y


class PreactBottleneckResNet(Classifier):
    """Four stages of bottlenecks: normalized images [..., H, W, C] -> logits.

    `width` is the number of channels after the stem; `blocks` has a number for each
    stage.
    """

    width: int
    blocks: tuple[int, ...]

    @nn.nowrap
    def layers(self) -> Layers:
        stem = self.part(ConvNorm, self.width, name="stem")
        block = functools.partial(self.part, PreactivationBottleneck)
        layers: Layers = {"stem": functools.partial(rectified, stem)}
        return layers | in_stages(block, self.width, self.blocks)


def _options_in(tensors: Mapping[str, np.ndarray]) -> dict:
    blocks = blocks_in(tensors, r"layer(\d)\.\d+\.conv1\.weight")[1:]
    return imagenet_options(tensors) | ({"blocks": blocks} if blocks else {})


PREACT_BOTTLENECK_RESNET = Family(
    names="preact_bottleneck_resnet50",
    pattern="preact_bottleneck_resnet50",
    network=PreactBottleneckResNet,
    options={"width": Number(64), "blocks": Numbers((3, 4, 6, 3), length=4)},
    normalization=IMAGENET,
    torch_names=(
        (r"shortcut/conv", "shortcut.0"),
        (r"shortcut/norm", "shortcut.1"),
        *TORCH_NAMES,
        (r"third", "conv3"),
        (r"norm0", "bn0"),
        (r"^head", "linear"),
    ),
    options_in=_options_in,
)
