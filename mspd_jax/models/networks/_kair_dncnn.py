"""DnCNN without normalization, as KAIR trains it for photographs (arXiv 1608.03981)."""

import functools
from collections.abc import Mapping
from typing import ClassVar

import jax
import numpy as np
from flax import linen as nn

from mspd_jax.models.networks._family import (
    ANY_NOISE,
    DENOISER,
    Family,
    Number,
    Renamings,
    sequential_in,
)
from mspd_jax.models.networks._form import Formed
from mspd_jax.models.networks._layers import conv


class KairDnCNN(Formed):
    """x - net(x): `depth` 3x3 convolutions of `width` channels, with biases.

    Images [..., H, W, C] of any size and channel count -> images of the same shape.
    """

    depth: int
    width: int
    channels: int
    orthogonal: ClassVar[bool] = True  # how kernels begin, see `initialize`

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        del train
        return x - convolved(x, self.depth, self.width, outputs=self.channels)


def convolved(x: jax.Array, depth: int, width: int, *, outputs: int) -> jax.Array:
    """3x3 convolutions with biases and ReLUs, in the module that calls this."""
    layer = functools.partial(conv, use_bias=True)
    for index in range(depth - 1):
        x = nn.relu(layer(width, name=f"layer{index}")(x))
    return layer(outputs, name="last")(x)


def numbered_layers(options: dict) -> Renamings:
    """The names in a Sequential of convolutions and ReLUs."""
    return (
        (r"^layer(\d+)", lambda match: str(2 * int(match[1]))),
        (r"^last", str(2 * options["depth"] - 2)),
    )


def numbered_sizes(tensors: Mapping[str, np.ndarray]) -> dict:
    """Depth and width of such a Sequential."""
    last, width = sequential_in(tensors)
    return {"depth": last // 2 + 1, "width": width}


KAIR_DNCNN = Family(
    names="kair_dncnn",
    pattern="kair_dncnn",
    network=KairDnCNN,
    options={"depth": Number(20, least=2), "width": Number(64)},
    kind=DENOISER,
    noise=ANY_NOISE,
    torch_names=numbered_layers,
    options_in=numbered_sizes,
)
