"""Two-stream Restoration Network (arXiv 2202.01117), as far as the paper says."""

from typing import ClassVar

import jax
import jax.numpy as jnp
from flax import linen as nn

from mspd_jax.models.networks._family import RESTORATION, Choice, Family, Number, Option
from mspd_jax.models.networks._form import Formed, global_average
from mspd_jax.models.networks._layers import (
    ConvNorm,
    blocks_as_channels,
    channels_as_blocks,
    conv,
)

# Of what is added to the image. A perturbation is some hundredths; with 1 the first
# steps of Adam move every pixel by more than the attack did.
SCALE = 0.05
# By which label its gradient maps are taken.
LABEL_RULES = ("predicted", "uniform", "softmax", "all")


class ResidualBlock(Formed):
    """x + norm(conv(relu(norm(conv(x)))))."""

    width: int

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        y = nn.relu(self.part(ConvNorm, self.width, name="first")(x, train))
        return x + self.part(ConvNorm, self.width, name="second")(y, train)


class FusionBlock(nn.Module):
    """What the two streams know in common is added to both.

    z = relu(1x1 convolution of both), each channel weighed by a gate that two dense
    layers make of the channels' means (squeeze and excitation).
    """

    width: int

    @nn.compact
    def __call__(
        self, image: jax.Array, maps: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        both = jnp.concatenate([image, maps], axis=-1)
        mix = conv(self.width, kernel=1, padding="VALID", use_bias=True, name="mix")
        common = nn.relu(mix(both))
        hidden = nn.relu(
            nn.Dense(max(1, self.width // 4), name="squeeze")(global_average(common))
        )
        gate = nn.sigmoid(nn.Dense(self.width, name="excite")(hidden))
        common = common * gate[..., None, None, :]
        return image + common, maps + common


class TRN(Formed):
    """image + SCALE * net(image, gradient maps): two streams, joined by fusion.

    [..., H, W, channels * (1 + maps)], the image first -> [..., H, W, channels], any
    size. Each of `stages` is `blocks` residual blocks in either stream and a fusion
    block; the last convolution reads both streams, at their end and as they
    came. With `shrink` s the streams work on s x s blocks of pixels as channels
    (nothing is lost), which costs 1 / s^2.

    Deviation: widths, depths and the inside of the blocks are ours; the paper has the
    two streams and the fusion, but no sizes, and no code is public.
    """

    width: int
    stages: int
    blocks: int
    shrink: int
    maps: int
    channels: int
    orthogonal: ClassVar[bool] = True  # how kernels begin, see `initialize`

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        image, height, width = x[..., : self.channels], *x.shape[-3:-1]
        x = blocks_as_channels(x, self.shrink)
        # Channels of the image come first in every block of pixels.
        split = self.channels * self.shrink**2
        # A map divided by its maximum is mostly small numbers, and an attack goes by
        # their signs: m / (|m| + mean |m|) keeps both sign and size.
        maps = x[..., split:]
        size = jnp.mean(jnp.abs(maps), axis=(-3, -2, -1), keepdims=True)
        maps = maps / (jnp.abs(maps) + size + 1e-6)
        streams = {"image": x[..., :split], "maps": maps}
        # Normalized: a perturbation is small beside the image that it hides in.
        a, b = (
            nn.relu(
                self.part(ConvNorm, self.width, name=f"{name}_first")(stream, train)
            )
            for name, stream in streams.items()
        )
        for stage in range(self.stages):
            for block in range(self.blocks):
                name = f"stage{stage}_block{block}"
                a = self.part(ResidualBlock, self.width, name=f"{name}_image")(a, train)
                b = self.part(ResidualBlock, self.width, name=f"{name}_maps")(b, train)
            a, b = FusionBlock(self.width, name=f"stage{stage}_fusion")(a, b)
        both = jnp.concatenate([a, b, *streams.values()], axis=-1)
        change = conv(split, use_bias=True, name="last")(both)
        change = channels_as_blocks(change, self.shrink)
        return image + SCALE * change[..., :height, :width, :]


def _family(name: str, **sizes: int) -> Family:
    options: dict[str, Option] = {field: Number(sizes[field]) for field in sizes}
    options["rule"] = Choice("predicted", {rule: rule for rule in LABEL_RULES})
    options["maps"] = Number(1)
    return Family(name, name, TRN, options, kind=RESTORATION)


TRN_LARGE = _family("trn", width=64, stages=4, blocks=2, shrink=1)
TRN_SMALL = _family("trn_small", width=32, stages=3, blocks=1, shrink=2)
