"""Swin transformers (Liu et al., ICCV 2021, arXiv 2103.14030).

Layout and layer order are those of timm, whose older names, and those of the paper's
own code, are read as well: there, a stage ends with what here begins the next.
"""

import re
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from mspd_jax.models.networks._attention import (
    Attention,
    LayerNorm,
    Mlp,
    aligned,
    always,
    as_tokens,
    sized,
)
from mspd_jax.models.networks._family import (
    IMAGENET,
    Choice,
    Family,
    Flag,
    Number,
    Numbers,
    blocks_in,
    shape_in,
)
from mspd_jax.models.networks._form import Classifier, Formed, Layers, block_places
from mspd_jax.models.networks._mean_sparse import COUNTERS, MeanSparse, sparse_in
from mspd_jax.models.networks._stems import Patches
from mspd_jax.models.networks._windows import (
    join_windows,
    region_mask,
    relative_positions,
    split_windows,
    window_and_shift,
)

_STAGES = 4
# By size: blocks of the stages, channels of the first stage, heads of the stages.
SIZES = {
    "tiny": ((2, 2, 6, 2), 96, (3, 6, 12, 24)),
    "small": ((2, 2, 18, 2), 96, (3, 6, 12, 24)),
    "base": ((2, 2, 18, 2), 128, (4, 8, 16, 32)),
    "large": ((2, 2, 18, 2), 192, (6, 12, 24, 48)),
}


class Embedding(nn.Module):
    """4x4 patches, then a norm of their channels."""

    features: int
    epsilon: float

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = Patches(self.features, 4, name="patches")(x)
        return LayerNorm(self.epsilon, name="norm")(x)


class Merging(nn.Module):
    """2x2 places become one, of twice the channels; zeros below and to the right."""

    epsilon: float

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        *front, height, width, channels = x.shape
        x = jnp.pad(
            x, [(0, 0)] * len(front) + [(0, height % 2), (0, width % 2), (0, 0)]
        )
        parts = [x[..., row::2, column::2, :] for column in (0, 1) for row in (0, 1)]
        x = LayerNorm(self.epsilon, name="norm")(jnp.concatenate(parts, axis=-1))
        return nn.Dense(2 * channels, use_bias=False, name="reduction")(x)


class PositionBias(nn.Module):
    """What is added to scores by the offset of two places: [heads, N, N].

    N places of a window [h, w]; a table has a row for each offset.
    """

    heads: int
    window: tuple[int, int]

    @nn.compact
    def __call__(self) -> jax.Array:
        offsets, index = relative_positions(*self.window)
        table = sized(self, "relative_position_bias_table", (offsets, self.heads))
        return jnp.moveaxis(table[index], -1, 0)


class SwinBlock(Formed):
    """Attention within windows, then a perceptron: maps [..., H, W, C] -> maps.

    With `shifted`, windows begin half a window further, and those that wrap around the
    image see only places that were neighbors. With `sparse` a `MeanSparse` follows
    either sum and the perceptron, which has one, too.
    """

    heads: int
    window: int
    shifted: bool
    epsilon: float
    sparse: bool = False

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        sparse1, sparse2, sparse3 = (
            self.part(MeanSparse, self.sparse, name=f"sparse{n}") for n in (1, 2, 3)
        )
        mlp = self.part(Mlp, self.sparse, name="mlp")
        x = sparse1(x + self._attend(LayerNorm(self.epsilon, name="norm1")(x)))
        y = sparse2(mlp(LayerNorm(self.epsilon, name="norm2")(x)))
        return sparse3(x + y)

    def _attend(self, x):
        *front, height, width, _ = x.shape
        window, shift = window_and_shift((height, width), self.window, self.shifted)
        x = jnp.roll(x, (-shift[0], -shift[1]), axis=(-3, -2))
        fill = [(0, -height % window[0]), (0, -width % window[1]), (0, 0)]
        x = jnp.pad(x, [(0, 0)] * len(front) + fill)
        bias = PositionBias(self.heads, window, name="bias")()
        if any(shift):
            mask = jnp.asarray(region_mask(x.shape[-3:-1], window, shift), bias.dtype)
            bias = aligned(bias, mask) + mask
        windows = split_windows(x, window)
        tokens = Attention(self.heads, name="attn")(as_tokens(windows), bias)
        x = join_windows(jnp.reshape(tokens, windows.shape), x.shape)
        return jnp.roll(x[..., :height, :width, :], shift, axis=(-3, -2))


class Swin(Classifier):
    """Swin: normalized images [..., H, W, C] -> logits [..., num_classes].

    `depths` are the blocks of the four stages, `heads` their heads, `width` the
    channels of the first; each other has twice those of the one before. `window` is the
    side of a window, in places; a map that is smaller is one window. `sparse` is that
    of its blocks.
    """

    depths: tuple[int, ...]
    width: int
    heads: tuple[int, ...]
    window: int
    epsilon: float
    sparse: bool = False

    @nn.nowrap
    def layers(self) -> Layers:
        embed = Embedding(self.width, self.epsilon, name="embed")
        layers: Layers = {"embed": always(embed)}
        for name, stage, number in block_places(self.depths):
            if stage > 0 and number == 0:
                merge = f"merge{stage}"
                layers[merge] = always(Merging(self.epsilon, name=merge))
            shape = (self.heads[stage], self.window, number % 2 == 1, self.epsilon)
            layers[name] = always(self.part(SwinBlock, *shape, self.sparse, name=name))
        layers["norm"] = always(LayerNorm(self.epsilon, name="norm"))
        return layers


_TABLE = "layers.{}.blocks.0.attn.relative_position_bias_table"


def _options_in(tensors: Mapping[str, np.ndarray]) -> dict:
    tables = [shape_in(tensors, _TABLE.format(i), 2) for i in range(_STAGES)]
    # That of the first stage, whose map is the largest, is never cut to the map.
    window = (round(tables[0][0] ** 0.5) + 1) // 2
    return {
        "depths": blocks_in(tensors, r"layers\.(\d+)\.blocks\.\d+\.norm1\.bias"),
        "width": shape_in(tensors, "patch_embed.proj.weight", 4)[0],
        "heads": [heads for _, heads in tables],
        "window": window,
        **sparse_in(tensors),
    }


def _canonical(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    older = "layers.0.downsample.norm.weight" in tensors
    found = {}
    for name, tensor in tensors.items():
        if re.search(r"\.(relative_position_index|attn_mask)$", name):
            continue  # follows from the size of map and window
        if older:
            name = re.sub(
                r"^layers\.(\d+)\.downsample",
                lambda match: f"layers.{int(match[1]) + 1}.downsample",
                name,
            )
        found[re.sub(r"^head\.(weight|bias)$", r"head.fc.\1", name)] = tensor
    return found


def _family(size):
    depths, width, heads = SIZES[size]
    return Family(
        names=f"swin_{size}",
        pattern=f"swin_{size}",
        network=Swin,
        options={
            "depths": Numbers(depths, length=_STAGES),
            "width": Number(width),
            "heads": Numbers(heads, length=_STAGES),
            "window": Number(7),
            "epsilon": Choice("1e-5", {"1e-5": 1e-5, "1e-6": 1e-6}),
            "sparse": Flag(False),
        },
        normalization=IMAGENET,
        size=224,
        torch_names=(
            (r"^embed/patches", "patch_embed.proj"),
            (r"^embed/norm", "patch_embed.norm"),
            (r"^merge(\d+)", r"layers.\1.downsample"),
            (r"^stage(\d+)_block(\d+)", r"layers.\1.blocks.\2"),
            (r"/bias$", "/attn"),
            (r"/sparse1$", "/meansparse1"),
            (r"/sparse2$", "/mlp/meansparse2"),
            (r"/sparse3$", "/meansparse2"),
            (r"/sparse$", "/meansparse1"),
            (r"^head", "head.fc"),
        ),
        unused=COUNTERS,
        options_in=_options_in,
        canonical=_canonical,
    )


def _mimir(size):
    """The robust ones of Xu et al. (arXiv 2312.04960) see pixels as they are."""
    name, usual = f"swin_{size}_mimir", _family(size)
    epsilon = usual.options["epsilon"]._replace(default="1e-6")
    window = Number(14 if size == "large" else 7)
    options = usual.options | {"window": window, "epsilon": epsilon}
    return usual._replace(names=name, pattern=name, options=options, normalization=None)


SWIN = (*map(_family, SIZES), _mimir("base"), _mimir("large"))
