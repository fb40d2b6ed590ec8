"""XCiT (El-Nouby et al., NeurIPS 2021, arXiv 2106.09681), of 12 layers.

Layout and layer order are those of timm, with all tokens normed in the class attention.
The robust models of Debenedetti, Sehwag and Mittal (arXiv 2209.07399) are these; those
for CIFAR have a stride of 1 in the first two convolutions, and so patches of 4x4. The
usual normalizations are theirs: none for ImageNet, and that of CIFAR-10. Say so at the
conversion of others, such as those for CIFAR-100 and the ordinary weights of timm.
"""

import functools
import math
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from mspd_jax.models.networks._attention import (
    ClassToken,
    LayerNorm,
    Mlp,
    aligned,
    always,
    as_tokens,
    attend,
    gelu,
    join_heads,
    scaled,
    split_heads,
)
from mspd_jax.models.networks._family import (
    CIFAR10,
    Family,
    Number,
    Numbers,
    blocks_in,
    shape_in,
)
from mspd_jax.models.networks._form import Classifier, Formed, Layers
from mspd_jax.models.networks._layers import ConvNorm, Norm, conv
from mspd_jax.models.networks._stems import point

# By size: channels and heads.
SIZES = {"small": (384, 8), "medium": (512, 8), "large": (768, 16)}
_CLASS_BLOCKS = 2
# Of the position encoding: waves along each axis, and the longest of them.
_WAVES, _LONGEST = 32, 10000.0
_TINY = 1e-12  # the least length of what is divided by it, as PyTorch's


class Embedding(Formed):
    """Convolutions with these strides, and an encoding of each position.

    Each has twice the channels of the one before, and `features` at the end. Images
    [..., H, W, C] -> maps [..., h, w, features], h and w of any size.
    """

    features: int
    strides: tuple[int, ...]

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        for index, strides in enumerate(self.strides):
            width = self.features // 2 ** (len(self.strides) - 1 - index)
            x = self.part(ConvNorm, width, strides, name=f"layer{index}")(x, train)
            x = gelu(x) if index < len(self.strides) - 1 else x
        waves = jnp.asarray(position_waves(*x.shape[-3:-1]), x.dtype)
        position = point(self.features, name="position")(waves)
        return x + aligned(position, x)


class CrossCovarianceAttention(nn.Module):
    """Attention between channels: maps [..., H, W, C] -> maps.

        softmax(temperature q k^T) v, for channels q and k of unit length,

    each a vector over all places, in every head.
    """

    heads: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        channels, heads = x.shape[-1], self.heads
        parts = jnp.split(nn.Dense(3 * channels, name="qkv")(as_tokens(x)), 3, axis=-1)
        # [..., heads, N, d]
        query, key, value = (split_heads(part, heads) for part in parts)
        ones = nn.initializers.ones
        temperature = self.param("temperature", ones, (heads, 1, 1))
        scores = jnp.einsum("...nd,...ne->...de", _unit(query), _unit(key))
        weights = jax.nn.softmax(scores * aligned(temperature, scores), axis=-1)
        y = join_heads(jnp.einsum("...de,...ne->...nd", weights, value))
        return jnp.reshape(nn.Dense(channels, name="proj")(y), x.shape)


class LocalInteraction(Formed):
    """Two depthwise 3x3 convolutions, with a GELU and a normalization between."""

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        channels = x.shape[-1]
        depthwise = functools.partial(conv, channels, use_bias=True, groups=channels)
        x = gelu(depthwise(name="first")(x))
        x = self.part(Norm, name="norm")(x, train)
        return depthwise(name="second")(x)


class XCiTBlock(Formed):
    """Three residual branches: between channels, between neighbors, a perceptron."""

    heads: int

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        attention = CrossCovarianceAttention(self.heads, name="attn")
        local = self.part(LocalInteraction, name="local")
        x = x + scaled(self, "gamma1", attention(LayerNorm(name="norm1")(x)))
        x = x + scaled(self, "gamma3", local(LayerNorm(name="norm3")(x), train))
        return x + scaled(self, "gamma2", Mlp(name="mlp")(LayerNorm(name="norm2")(x)))


class ClassAttention(nn.Module):
    """What the first token finds in all: [..., 1 + N, C] -> [..., 1, C]."""

    heads: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        channels = x.shape[-1]
        query, key, value = (
            split_heads(nn.Dense(channels, name=name)(tokens), self.heads)
            for name, tokens in (("q", x[..., :1, :]), ("k", x), ("v", x))
        )
        return nn.Dense(channels, name="proj")(join_heads(attend(query, key, value)))


class ClassBlock(nn.Module):
    """Attention and a perceptron for the class token: [..., 1 + N, C] -> the same.

    As in the reference, what is normed is added to the other tokens twice.
    """

    heads: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        y = LayerNorm(name="norm1")(x)
        found = ClassAttention(self.heads, name="attn")(y)
        y = jnp.concatenate([found, y[..., 1:, :]], axis=-2)
        x = LayerNorm(name="norm2")(x + scaled(self, "gamma1", y))
        token = scaled(self, "gamma2", Mlp(name="mlp")(x[..., :1, :]))
        return x + jnp.concatenate([token, x[..., 1:, :]], axis=-2)


class XCiT(Classifier):
    """XCiT: normalized images [..., H, W, C] of any size -> logits [..., num_classes].

    `width` is the number of channels, `strides` those of the stem's convolutions.
    """

    depth: int
    width: int
    heads: int
    strides: tuple[int, ...]

    @nn.nowrap
    def layers(self) -> Layers:
        embed = self.part(Embedding, self.width, self.strides, name="embed")
        layers: Layers = {"embed": embed}
        for index in range(self.depth):
            name = f"block{index}"
            layers[name] = self.part(XCiTBlock, self.heads, name=name)
        token, norm = ClassToken(name="class"), LayerNorm(name="norm")
        layers["class"] = lambda x, train: token(as_tokens(x))
        for index in range(_CLASS_BLOCKS):
            name = f"class{index}"
            layers[name] = always(ClassBlock(self.heads, name=name))
        # The class token, as a map of one place.
        layers["norm"] = lambda x, train: norm(x[..., None, :1, :])
        return layers


def position_waves(height: int, width: int) -> np.ndarray:
    """Sines and cosines of row and column, [height, width, 2 * 32], float32."""
    exponents = 2 * (np.arange(_WAVES) // 2) / _WAVES

    def along(size):
        angles = 2 * math.pi * np.arange(1, size + 1) / (size + 1e-6)
        phases = angles[:, None] / _LONGEST**exponents
        pairs = np.sin(phases[:, 0::2]), np.cos(phases[:, 1::2])
        return np.stack(pairs, axis=-1).reshape(size, _WAVES)

    shape = (height, width, _WAVES)
    rows = np.broadcast_to(along(height)[:, None], shape)
    columns = np.broadcast_to(along(width)[None], shape)
    return np.concatenate([rows, columns], axis=-1).astype(np.float32)


def _unit(x):
    """Along tokens, of unit length, with a gradient of zero where all is zero."""
    squares = jnp.sum(x**2, axis=-2, keepdims=True)
    return x / jnp.sqrt(jnp.maximum(squares, _TINY**2))


def _options_in(tensors: Mapping[str, np.ndarray]) -> dict:
    return {
        "width": shape_in(tensors, "cls_token", 3)[-1],
        "depth": len(blocks_in(tensors, r"blocks\.(\d+)\.norm1\.bias")),
        "heads": shape_in(tensors, "blocks.0.attn.temperature", 3)[0],
    }


def _canonical(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """From the names of the authors: one layer for q, k and v, another word."""
    found = {}
    for name, tensor in tensors.items():
        name = name.replace("pos_embeder.", "pos_embed.")
        if name.startswith("cls_attn_blocks.") and ".attn.qkv." in name:
            for part, letter in zip(np.split(tensor, 3), "qkv", strict=True):
                found[name.replace(".qkv.", f".{letter}.")] = part
        else:
            found[name] = tensor
    return found


_TORCH_NAMES = (
    (
        r"^embed/layer(\d+)/(conv|norm)",
        lambda m: f"patch_embed.proj.{2 * int(m[1])}.{'0' if m[2] == 'conv' else '1'}",
    ),
    (r"^embed/position", "pos_embed.token_projection"),
    (r"^class$", ""),
    (r"^class(\d+)", r"cls_attn_blocks.\1"),
    (r"^block(\d+)", r"blocks.\1"),
    (r"local/first", "local_mp.conv1"),
    (r"local/norm", "local_mp.bn"),
    (r"local/second", "local_mp.conv2"),
)


def _families(size):
    width, heads = SIZES[size]
    imagenet = Family(
        names=f"xcit_{size}_12_p16",
        pattern=f"xcit_{size}_12_p16",
        network=XCiT,
        options={
            "depth": Number(12),
            "width": Number(width),
            "heads": Number(heads),
            "strides": Numbers((2, 2, 2, 2)),
        },
        size=224,
        torch_names=_TORCH_NAMES,
        options_in=_options_in,
        canonical=_canonical,
    )
    cifar = imagenet._replace(
        names=f"xcit_{size}_12_p4",
        pattern=f"xcit_{size}_12_p4",
        options=imagenet.options | {"strides": Numbers((1, 1, 2, 2))},
        normalization=CIFAR10,
        size=32,
    )
    return imagenet, cifar


XCIT = tuple(family for size in SIZES for family in _families(size))
