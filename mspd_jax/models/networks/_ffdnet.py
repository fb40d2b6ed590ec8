"""FFDNet: a denoiser that is told how much noise there is (Zhang et al. 2018, arXiv
1710.04026), as KAIR trains it for photographs."""

from typing import ClassVar

import jax
import jax.numpy as jnp
from flax import linen as nn

from mspd_jax.models.networks._family import DENOISER, TOLD_NOISE, Family, Number
from mspd_jax.models.networks._form import Formed
from mspd_jax.models.networks._kair_dncnn import (
    convolved,
    numbered_layers,
    numbered_sizes,
)
from mspd_jax.models.networks._layers import blocks_as_channels, channels_as_blocks


class FFDNet(Formed):
    """net(blocks of 2x2 pixels as channels, and one channel of sigma) -> the image.

    `depth` 3x3 convolutions of `width` channels, with biases. Images [..., H, W, C] of
    any size, sigma a scalar -> images of the same shape. Sides of odd length are
    extended by their last pixels.
    """

    depth: int
    width: int
    channels: int
    orthogonal: ClassVar[bool] = True  # how kernels begin, see `initialize`

    @nn.compact
    def __call__(
        self, x: jax.Array, train: bool = False, sigma: jax.Array | float = 0.0
    ) -> jax.Array:
        del train
        height, width = x.shape[-3:-1]
        y = blocks_as_channels(x, 2)
        level = jnp.broadcast_to(jnp.asarray(sigma, x.dtype), (*y.shape[:-1], 1))
        y = jnp.concatenate([y, level], axis=-1)
        y = convolved(y, self.depth, self.width, outputs=4 * self.channels)
        return channels_as_blocks(y, 2)[..., :height, :width, :]


FFDNET = Family(
    names="ffdnet",
    pattern="ffdnet",
    network=FFDNet,
    options={"depth": Number(12, least=2), "width": Number(96)},
    kind=DENOISER,
    noise=TOLD_NOISE,
    torch_names=numbered_layers,
    options_in=numbered_sizes,
)
