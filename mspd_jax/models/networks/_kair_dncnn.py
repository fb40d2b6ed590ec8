"""DnCNN without normalization, as KAIR trains it for photographs (arXiv 1608.03981)."""

import functools
import re
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
        layer = functools.partial(conv, use_bias=True)
        y = x
        for index in range(self.depth - 1):
            y = nn.relu(layer(self.width, name=f"layer{index}")(y))
        return x - layer(self.channels, name="last")(y)


def numbered_layers(options: dict) -> Renamings:
    """The names in a Sequential of convolutions and ReLUs."""
    return (
        (r"^layer(\d+)", lambda match: str(2 * int(match[1]))),
        (r"^last", str(2 * options["depth"] - 2)),
    )


def numbered_sizes(tensors: Mapping[str, np.ndarray]) -> dict:
    """Depth and width of such a Sequential."""
    numbers = re.findall(r"(?:^| )(\d+)\.weight", " ".join(tensors))
    if len(numbers) < 2 or "0.weight" not in tensors:
        raise ValueError("0.weight")
    width = int(tensors["0.weight"].shape[0])
    return {"depth": max(map(int, numbers)) // 2 + 1, "width": width}


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
