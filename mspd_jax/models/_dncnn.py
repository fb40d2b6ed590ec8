"""DnCNN: a denoiser that predicts the noise (Zhang et al. 2017, arXiv 1608.03981)."""

import functools
from typing import ClassVar

import jax
from flax import linen as nn

from mspd_jax.models._form import Formed
from mspd_jax.models._layers import ConvNorm, conv

# Of the reference code, in place of what the classifiers use.
DNCNN_EPSILON, _MOMENTUM = 1e-4, 0.95


class DnCNN(Formed):
    """x - net(x): `depth` 3x3 convolutions of `width` channels, normalized inside.

    Images [..., H, W, C] of any size and channel count -> images of the same shape. The
    denoisers of denoised smoothing have 17 layers of 64 or 128 channels.

    Deviation: running moments keep 0.95 of their value at each step. The reference
    passes 0.95 to PyTorch, where it is the share of the new batch.
    """

    depth: int
    width: int
    channels: int
    orthogonal: ClassVar[bool] = True  # how kernels begin, see `initialize`

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        moments = {"epsilon": DNCNN_EPSILON, "momentum": _MOMENTUM}
        layer = functools.partial(self.part, ConvNorm, self.width, **moments)
        y = nn.relu(conv(self.width, use_bias=True, name="first")(x))
        for index in range(self.depth - 2):
            y = nn.relu(layer(name=f"layer{index}")(y, train))
        return x - conv(self.channels, name="last")(y)
