"""ResNeSt-50/101/152 (Zhang et al. 2020, arXiv 2004.08955) for small images.

ResNets whose 3x3 convolutions make several maps of each channel, which every image
weighs for itself. Layout and layer order are those of the authors' code with the stem
that RobustBench gives it for CIFAR; `mspd_jax.models.convert_torch` reads its
checkpoints. ResNeSts for ImageNet have another radix, stem and activation.
"""

import functools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from mspd_jax.models.networks._blocks import EXPANSION, TORCH_NAMES, point
from mspd_jax.models.networks._family import (
    Family,
    Number,
    Numbers,
    blocks_in,
    shape_in,
)
from mspd_jax.models.networks._form import Classifier, Formed, Layers, in_stages
from mspd_jax.models.networks._layers import (
    SYMMETRIC_PADDING,
    ConvNorm,
    Padding,
    conv,
)
from mspd_jax.models.networks._resnet import IMAGENET_STAGES

DEPTHS = (50, 101, 152)
# How many maps there are of each channel.
RADIX = 4
# The weights come from one of so many channels of all maps, and from 32 at least.
_REDUCTION, _LEAST = 4, 32


class SplitAttention(Formed):
    """A mean over several maps of each channel, with weights from the whole image.

        y_r = silu(norm(conv(x_r))), r = 1 .. RADIX, with x_r a group of x's channels
        a = softmax over r of point(silu(norm(point(sum_r mean over the map of y_r))))
        output = sum_r a_r * y_r

    with 1x1 convolutions `point`, and a weight for each map of each channel.
    """

    features: int

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        wide = RADIX * self.features
        maps = self.part(ConvNorm, wide, groups=RADIX, name="maps")
        y = self._by_map(nn.silu(maps(x, train)))
        means = jnp.sum(jnp.mean(y, axis=(-4, -3), keepdims=True), axis=-2)
        shape: dict[str, Any] = {"kernel": 1, "padding": "VALID", "use_bias": True}
        narrow = max(wide // _REDUCTION, _LEAST)
        squeeze = self.part(ConvNorm, narrow, **shape, name="squeeze")
        scores = conv(wide, **shape, name="scores")(nn.silu(squeeze(means, train)))
        return jnp.sum(nn.softmax(self._by_map(scores), axis=-2) * y, axis=-2)

    @nn.nowrap
    def _by_map(self, x: jax.Array) -> jax.Array:
        """[..., RADIX * features] -> [..., RADIX, features]."""
        return jnp.reshape(x, (*x.shape[:-1], RADIX, self.features))


class ResNeStBlock(Formed):
    """silu(shortcut(x) + narrow(x)) with 1x1, split-attention and 1x1 layers.

    A stride of 2 takes means: of 3x3 pixels behind the attention, zeros around the map
    counted, and of 2x2 in the shortcut, a normalized 1x1 convolution where the block
    changes the shape.
    """

    features: int
    strides: int

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        y = nn.silu(point(self, self.features, name="first")(x, train))
        y = self.part(SplitAttention, self.features, name="second")(y, train)
        if self.strides == 2:
            x, y = halved(x), _means(y, 3, SYMMETRIC_PADDING)
        y = point(self, EXPANSION * self.features, name="third")(y, train)
        if self.strides == 2 or x.shape[-1] != y.shape[-1]:
            x = point(self, y.shape[-1], name="shortcut")(x, train)
        return nn.silu(x + y)


class ResNeSt(Classifier):
    """ResNeSt for CIFAR: normalized images [..., H, W, C] of any size -> logits.

    Three 3x3 convolutions to twice `width` channels, then four stages of `blocks`, the
    first of bottlenecks `width` wide. The stem does not halve the map.
    """

    width: int
    blocks: tuple[int, ...]

    @nn.nowrap
    def layers(self) -> Layers:
        layers: Layers = {}
        for index, times in enumerate((1, 1, 2)):
            name = f"stem{index}"
            module = self.part(ConvNorm, times * self.width, name=name)
            layers[name] = functools.partial(_activated, module)
        block = functools.partial(self.part, ResNeStBlock)
        return layers | in_stages(block, self.width, self.blocks)


def halved(x: jax.Array) -> jax.Array:
    """Means of 2x2 pixels, at the end of an odd side of those that there are."""
    odd = [(0, side % 2) for side in x.shape[-3:-1]]
    # Repeating the last ones changes no mean.
    x = jnp.pad(x, [*[(0, 0)] * (x.ndim - 3), *odd, (0, 0)], mode="edge")
    return _means(x, 2, "VALID")


def _means(x: jax.Array, size: int, padding: Padding) -> jax.Array:
    """Of size x size pixels, two apart; what pads is zero, and counted."""
    total = nn.pool(x, 0.0, jax.lax.add, (size, size), (2, 2), padding)
    return total * (1 / size**2)


def _activated(module: ConvNorm, x: jax.Array, train: bool) -> jax.Array:
    return nn.silu(module(x, train))


def _options_in(tensors: Mapping[str, np.ndarray]) -> dict:
    """Width and blocks; stages have numbers from 1."""
    width = shape_in(tensors, "layer1.0.conv1.weight", 4)[0]
    blocks = blocks_in(tensors, r"layer(\d)\.\d+\.conv1\.weight")[1:]
    return {"width": width, "blocks": blocks}


def _row(depth: int) -> Family:
    _, blocks = IMAGENET_STAGES[depth]
    return Family(
        names=f"resnest{depth}",
        pattern=f"resnest{depth}",
        network=ResNeSt,
        options={"width": Number(64), "blocks": Numbers(blocks, length=4)},
        torch_names=(
            # In a Sequential, but for the last norm: convolution, norm, activation.
            (r"^stem(\d)/conv", lambda match: f"conv1.{3 * int(match[1])}"),
            (r"^stem2/norm", "bn1"),
            (r"^stem(\d)/norm", lambda match: f"conv1.{3 * int(match[1]) + 1}"),
            (r"second/maps/conv", "conv2.conv"),
            (r"second/maps/norm", "conv2.bn0"),
            (r"second/squeeze/conv", "conv2.fc1"),
            (r"second/squeeze/norm", "conv2.bn1"),
            (r"second/scores", "conv2.fc2"),
            # Behind the means.
            (r"shortcut/conv", "downsample.1"),
            (r"shortcut/norm", "downsample.2"),
            *TORCH_NAMES,
            (r"^head", "fc"),
        ),
        options_in=_options_in,
    )


RESNESTS = tuple(map(_row, DEPTHS))
