"""From pixels to the first map: patches, and convolutions in their place."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from mspd_jax.errors import InputError
from mspd_jax.models.networks._attention import LayerNorm, gelu
from mspd_jax.models.networks._family import Renamings, shape_in
from mspd_jax.models.networks._layers import as_channels, conv


class Patches(nn.Module):
    """A dense layer of each patch: [..., H, W, C] -> [..., H/size, W/size, features].

    Equals a convolution whose stride is its kernel, without padding, but is one product
    of matrices, and so is its gradient. Rows and columns that fill no patch are left
    out.
    """

    features: int
    size: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        size, (*front, height, width, channels) = self.size, x.shape
        shape = (size, size, channels, self.features)
        kernel = self.param("kernel", nn.initializers.lecun_normal(), shape)
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        rows, columns = height // size, width // size
        if not rows or not columns:
            raise InputError(
                f"the images are too small: a map of {height}x{width} holds no patch "
                f"of {size}x{size}"
            )
        x = x[..., : rows * size, : columns * size, :]
        x = jnp.reshape(x, (*front, rows, size, columns, size, channels))
        x = jnp.reshape(jnp.swapaxes(x, -3, -4), (*front, rows, columns, -1))
        y = jnp.tensordot(x, jnp.reshape(kernel, (-1, self.features)), axes=1)
        return y + as_channels(bias, y)


class ConvStem(nn.Module):
    """3x3 convolutions of these `widths`, each with a norm of its channels and a GELU.

    The first `halvings` have a stride of 2. With `features`, a 1x1 convolution follows.
    The stems of Singh, Croce and Hein (NeurIPS 2023, arXiv 2303.01870).
    """

    widths: tuple[int, ...]
    halvings: int
    features: int | None = None

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        for index, width in enumerate(self.widths):
            strides = 2 if index < self.halvings else 1
            x = conv(width, strides=strides, use_bias=True, name=f"conv{index}")(x)
            x = gelu(LayerNorm(name=f"norm{index}")(x))
        if self.features is None:
            return x
        return point(self.features, name=f"conv{len(self.widths)}")(x)


def point(features: int, *, name: str) -> nn.Conv:
    """A 1x1 convolution with a bias."""
    return conv(features, kernel=1, padding="VALID", use_bias=True, name=name)


# In a Sequential, layers have numbers: convolution, norm, GELU.
STEM_NAMES: Renamings = (
    (r"stem/conv(\d+)", lambda match: f"stem.{3 * int(match[1])}"),
    (r"stem/norm(\d+)", lambda match: f"stem.{3 * int(match[1]) + 1}"),
)


def stem_in(tensors: Mapping[str, np.ndarray], name: str) -> list[int]:
    """The widths of the ConvStem of this name; ValueError names its first tensor."""
    widths: list[int] = []
    # What no norm follows, a last 1x1 convolution, is not one of them.
    while f"{name}.{3 * len(widths) + 1}.weight" in tensors or not widths:
        weight = f"{name}.{3 * len(widths)}.weight"
        widths.append(shape_in(tensors, weight, 4)[0])
    return widths
