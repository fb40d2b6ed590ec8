"""What a U-Net of a diffusion model is made of: norm, time, block and attention."""

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax.custom_derivatives import linear_call
from jax.typing import DTypeLike

from mspd_jax.models.networks._layers import (
    SAME_PADDING,
    SYMMETRIC_PADDING,
    Padding,
    as_channels,
    conv,
)


class Dialect(NamedTuple):
    """Where published networks differ.

    epsilon: of the normalizations. padding: of the convolutions with a stride of 2.
    cosine_first: whether the time's cosines come before its sines. endpoint: whether
    the lowest of the n frequencies is 1 / 10,000 or one step (of n) above it.
    """

    epsilon: float
    padding: Padding
    cosine_first: bool
    endpoint: bool


# Of Ho et al. 2020, as in diffusers, and of Nichol and Dhariwal 2021.
DDPM_DIALECT = Dialect(1e-6, SAME_PADDING[2], cosine_first=False, endpoint=True)
IMPROVED_DIALECT = Dialect(1e-5, SYMMETRIC_PADDING, cosine_first=True, endpoint=False)


class GroupNorm(nn.Module):
    """Normalization over the places and `groups` groups of channels of one image.

        y = (x - mean) / sqrt(variance + epsilon) * scale + bias

    [..., H, W, C] -> the same shape (Wu and He 2018, arXiv 1803.08494). It has no
    running statistics, so that it is the same in training and in both forms.
    """

    groups: int
    epsilon: float

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        features = (x.shape[-1],)
        scale = self.param("scale", nn.initializers.ones, features)
        bias = self.param("bias", nn.initializers.zeros, features)
        rows = jnp.reshape(x, (*x.shape[:-3], -1, x.shape[-1])).astype(jnp.float32)
        centered = rows - self._means(rows)
        deviation = jax.lax.rsqrt(self._means(centered**2) + self.epsilon)
        y = (centered * deviation).astype(x.dtype)
        return jnp.reshape(y * _rows_of(scale, y) + _rows_of(bias, y), x.shape)

    def _means(self, rows: jax.Array) -> jax.Array:
        """Means over the places and a group, for each channel: [..., 1, C]."""
        ones = jnp.ones((1, rows.shape[-2]), rows.dtype)
        sums = jnp.matmul(ones, rows, precision="highest")
        grouped = jnp.reshape(sums, (*sums.shape[:-1], self.groups, -1))
        count = rows.shape[-2] * grouped.shape[-1]
        means = jnp.broadcast_to(grouped.sum(-1, keepdims=True) / count, grouped.shape)
        return jnp.reshape(means, sums.shape)


def _rows_of(channels: jax.Array, rows: jax.Array) -> jax.Array:
    """A number for each channel in each of the rows [..., N, C].

    Its gradient is a product with ones: XLA sums columns on CPUs anew for each channel,
    with all that was fused into them, which was half of the time of a training.
    """

    def spread(_, channels):
        return jnp.broadcast_to(channels, rows.shape)

    def summed(_, gradient):
        flat = jnp.reshape(gradient, (-1, gradient.shape[-1]))
        ones = jnp.ones((1, len(flat)), flat.dtype)
        return jnp.matmul(ones, flat, precision="highest")[0]

    return linear_call(spread, summed, (), channels.astype(rows.dtype))


class TimeEmbedding(nn.Module):
    """dense(silu(dense([sin(t w), cos(t w)]))) with frequencies w from 1 to 1e-4.

    Timesteps [...] of 0 to 1000 -> [..., 4 width].
    """

    width: int
    dialect: Dialect
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, time: jax.Array) -> jax.Array:
        half = self.width // 2
        steps = half - 1 if self.dialect.endpoint else half
        rates = jnp.exp(jnp.arange(half, dtype=jnp.float32) * (-math.log(1e4) / steps))
        angles = time.astype(jnp.float32)[..., None] * as_channels(
            rates, time[..., None]
        )
        waves = [jnp.sin(angles), jnp.cos(angles)]
        if self.dialect.cosine_first:
            waves.reverse()
        x = jnp.concatenate(waves, axis=-1).astype(self.dtype)
        x = nn.Dense(4 * self.width, name="inner")(x)
        return nn.Dense(4 * self.width, name="outer")(nn.silu(x))


class TimedBlock(nn.Module):
    """shortcut(x) + conv(silu(norm(conv(silu(norm(x))) + dense(silu(time))))).

    With `scale_shift`, the dense layer gives a scale s and a shift b, and in place of
    norm(h + dense) stands norm(h) (1 + s) + b. The shortcut is a 1x1 convolution where
    the number of channels changes.
    """

    features: int
    groups: int
    epsilon: float
    scale_shift: bool

    @nn.compact
    def __call__(self, x: jax.Array, time: jax.Array) -> jax.Array:
        share = 2 if self.scale_shift else 1
        time = nn.Dense(share * self.features, name="time")(nn.silu(time))
        time = time[..., None, None, :]
        before = GroupNorm(self.groups, self.epsilon, name="norm1")
        inside = GroupNorm(self.groups, self.epsilon, name="norm2")
        y = conv(self.features, use_bias=True, name="first")(nn.silu(before(x)))
        if self.scale_shift:
            scale, shift = jnp.split(time, 2, axis=-1)
            y = inside(y) * (1.0 + scale) + shift
        else:
            y = inside(y + time)
        y = conv(self.features, use_bias=True, name="second")(nn.silu(y))
        if x.shape[-1] != self.features:
            point = functools.partial(conv, kernel=1, padding="VALID", use_bias=True)
            x = point(self.features, name="shortcut")(x)
        return x + y


class Attention(nn.Module):
    """x + dense(softmax(q k^T / sqrt(d)) v), where q, k, v are dense in norm(x).

    Each place of a map [..., H, W, C] sees all others, `heads` times, with d = C /
    heads channels each.
    """

    groups: int
    epsilon: float
    heads: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        *_, height, width, channels = x.shape
        places = GroupNorm(self.groups, self.epsilon, name="norm")(x)
        places = jnp.reshape(places, (*x.shape[:-3], height * width, channels))

        def part(name: str) -> jax.Array:
            dense = nn.Dense(channels, name=name)(places)
            return jnp.reshape(dense, (*dense.shape[:-1], self.heads, -1))

        query, key, value = part("query"), part("key"), part("value")
        scores = jnp.einsum("...qhd,...khd->...hqk", query, key)
        weights = nn.softmax(scores / math.sqrt(channels // self.heads))
        seen = jnp.einsum("...hqk,...khd->...qhd", weights, value)
        seen = nn.Dense(channels, name="out")(jnp.reshape(seen, places.shape))
        return x + jnp.reshape(seen, x.shape)
