"""What transformers and ConvNeXts share: norms of channels, attention, perceptrons.

All of it reads arrays with any number of axes in front: tokens [..., N, C], maps
[..., H, W, C].

Deviation: no dropout and no stochastic depth. They are the identity in evaluation, and
the robust models that we convert are attacked, not trained, here.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import lax

from mspd_jax.errors import InputError
from mspd_jax.models.networks._form import Formed
from mspd_jax.models.networks._layers import as_channels
from mspd_jax.models.networks._mean_sparse import MeanSparse

EXPANSION = 4  # of a perceptron: its inner channels, by its outer ones


def gelu(x: jax.Array) -> jax.Array:
    """x Phi(x) with the exact distribution function, by PyTorch's default formula.

    That of `jax.nn.gelu` keeps a digit more far below zero, where the result is next
    to nothing, and takes 2.4 times as long.
    """
    return 0.5 * x * (1 + lax.erf(math.sqrt(0.5) * x))


class LayerNorm(nn.Module):
    """(x - mean) / sqrt(variance + epsilon) * scale + bias, over the last axis.

    Mean and variance are computed in float32, whatever the type of `x`.
    """

    epsilon: float = 1e-6

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        features = (x.shape[-1],)
        scale = self.param("scale", nn.initializers.ones, features)
        bias = self.param("bias", nn.initializers.zeros, features)
        y = x.astype(jnp.float32)
        y = y - jnp.mean(y, axis=-1, keepdims=True)
        variance = jnp.mean(y**2, axis=-1, keepdims=True)
        y = (y * jax.lax.rsqrt(variance + self.epsilon)).astype(x.dtype)
        return y * as_channels(scale, y) + as_channels(bias, y)


class Mlp(Formed):
    """Two dense layers with a GELU between: [..., C] -> [..., C].

    `sparse` is whether a `MeanSparse` stands before the GELU.
    """

    sparse: bool = False

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        y = nn.Dense(EXPANSION * x.shape[-1], name="fc1")(x)
        y = gelu(self.part(MeanSparse, self.sparse, name="sparse")(y))
        return nn.Dense(x.shape[-1], name="fc2")(y)


class Attention(nn.Module):
    """Self-attention of several heads: tokens [..., N, C] -> [..., N, C].

    The output is a dense layer of what `attend` gives, heads side by side.
    """

    heads: int

    @nn.compact
    def __call__(self, x: jax.Array, bias: jax.Array | None = None) -> jax.Array:
        channels = x.shape[-1]
        parts = jnp.split(nn.Dense(3 * channels, name="qkv")(x), 3, axis=-1)
        query, key, value = (split_heads(part, self.heads) for part in parts)
        y = join_heads(attend(query, key, value, bias))
        return nn.Dense(channels, name="proj")(y)


class Block(nn.Module):
    """x + attention(norm(x)), then x + perceptron(norm(x))."""

    heads: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = x + Attention(self.heads, name="attn")(LayerNorm(name="norm1")(x))
        return x + Mlp(name="mlp")(LayerNorm(name="norm2")(x))


class ClassToken(nn.Module):
    """Puts a token of the network's own before the others: N tokens -> 1 + N."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        channels = x.shape[-1]
        token = self.param("cls_token", nn.initializers.zeros, (1, 1, channels))
        token = jnp.broadcast_to(aligned(token[0], x), (*x.shape[:-2], 1, channels))
        return jnp.concatenate([token, x], axis=-2)


def attend(
    query: jax.Array, key: jax.Array, value: jax.Array, bias: jax.Array | None = None
) -> jax.Array:
    """softmax(query key^T / sqrt(d) + bias) value, for [..., heads, N, d]."""
    scores = jnp.einsum("...nd,...md->...nm", query, key) * query.shape[-1] ** -0.5
    if bias is not None:
        scores = scores + aligned(bias, scores)
    return jnp.einsum("...nm,...md->...nd", jax.nn.softmax(scores, axis=-1), value)


def split_heads(x: jax.Array, heads: int) -> jax.Array:
    """[..., N, heads * d] -> [..., heads, N, d]; InputError unless they divide it."""
    if x.shape[-1] % heads:
        raise InputError(f"`heads` {heads} does not divide the {x.shape[-1]} channels")
    return jnp.swapaxes(jnp.reshape(x, (*x.shape[:-1], heads, -1)), -2, -3)


def join_heads(x: jax.Array) -> jax.Array:
    """[..., heads, N, d] -> [..., N, heads * d]."""
    x = jnp.swapaxes(x, -2, -3)
    return jnp.reshape(x, (*x.shape[:-2], -1))


def as_tokens(x: jax.Array) -> jax.Array:
    """[..., H, W, C] -> [..., H * W, C]."""
    return jnp.reshape(x, (*x.shape[:-3], -1, x.shape[-1]))


def aligned(array: jax.Array, x: jax.Array) -> jax.Array:
    """An array with axes of 1 in front, until it has as many as `x`."""
    return jnp.reshape(array, (1,) * (x.ndim - array.ndim) + array.shape)


def sized(module: nn.Module, name: str, shape: tuple[int, ...]) -> jax.Array:
    """A variable of `module` whose shape follows from the size of the images.

    Raises InputError where the one that it has is for another size.
    """
    known: jax.Array | None = module.get_variable("params", name)
    if known is not None and known.shape != shape:
        raise InputError(
            f"the network is for images of another size: its {name} is {known.shape}, "
            f"and these images want {shape}"
        )
    return module.param(name, nn.initializers.zeros, shape)


def scaled(module: nn.Module, name: str, y: jax.Array) -> jax.Array:
    """`y` times a variable of `module` that has a number for each channel."""
    scale = module.param(name, nn.initializers.ones, (y.shape[-1],))
    return as_channels(scale, y) * y


def always(module: Callable[[jax.Array], jax.Array]) -> Callable:
    """A layer that does the same in training and in evaluation."""
    return lambda x, train: module(x)
