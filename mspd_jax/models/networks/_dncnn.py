"""DnCNN: a denoiser that predicts the noise (Zhang et al. 2017, arXiv 1608.03981)."""

import functools
from collections.abc import Mapping
from typing import ClassVar

import jax
import numpy as np
from flax import linen as nn

from mspd_jax.models.networks._family import (
    DENOISER,
    Family,
    Number,
    Renamings,
    sequential_in,
)
from mspd_jax.models.networks._form import Formed
from mspd_jax.models.networks._layers import ConvNorm, conv

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


def _torch_names(options: dict) -> Renamings:
    """As in microsoft/denoised-smoothing.

    In a Sequential, layers have numbers: convolution, ReLU, then three to a layer.
    """
    return (
        (r"^first", "dncnn.0"),
        (r"^layer(\d+)/conv", lambda match: f"dncnn.{3 * int(match[1]) + 2}"),
        (r"^layer(\d+)/norm", lambda match: f"dncnn.{3 * int(match[1]) + 3}"),
        (r"^last", f"dncnn.{3 * options['depth'] - 4}"),
    )


def _options_in(tensors: Mapping[str, np.ndarray]) -> dict:
    last, width = sequential_in(tensors, "dncnn.")
    return {"depth": (last - 2) // 3 + 2, "width": width}


DNCNN = Family(
    names="dncnn",
    pattern="dncnn",
    network=DnCNN,
    options={"depth": Number(17, least=2), "width": Number(64)},
    kind=DENOISER,
    epsilon=DNCNN_EPSILON,
    torch_names=_torch_names,
    options_in=_options_in,
)
DNCNN_WIDE = DNCNN._replace(
    names="dncnn_wide",
    pattern="dncnn_wide",
    options=DNCNN.options | {"width": Number(128)},
)
