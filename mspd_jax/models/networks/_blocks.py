"""The residual blocks of He et al. 2016 (arXiv 1512.03385), basic and bottleneck."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from mspd_jax.models.networks._family import Renamings
from mspd_jax.models.networks._form import BLOCK_NAME, Formed
from mspd_jax.models.networks._layers import SYMMETRIC_PADDING, ConvNorm, Padding, conv

# A bottleneck has so many times the channels of its 3x3 convolution at its end.
EXPANSION = 4

# What torchvision calls the blocks of all stages, the stem and the shortcuts.
TORCH_NAMES: Renamings = (
    (BLOCK_NAME, lambda match: f"layer{int(match[1]) + 1}.{match[2]}."),
    (r"(stem|first)/conv", "conv1"),
    (r"(stem|first)/norm", "bn1"),
    (r"second/conv", "conv2"),
    (r"second/norm", "bn2"),
    (r"third/conv", "conv3"),
    (r"third/norm", "bn3"),
    (r"shortcut/conv", "downsample.0"),
    (r"shortcut/norm", "downsample.1"),
)


# Shortcuts: from a block, its input x and the output y of its residual branch, what is
# added to y.
def padded_shortcut(block, x: jax.Array, y: jax.Array, train: bool) -> jax.Array:
    """Option A, without weights: every second pixel, zero channels on both sides."""
    del train
    x = x[..., :: block.strides, :: block.strides, :]
    missing = y.shape[-1] - x.shape[-1]
    before = missing // 2
    sides = [(0, 0)] * (x.ndim - 1) + [(before, missing - before)]
    return jnp.pad(x, sides) if missing else x


def projected_shortcut(block, x: jax.Array, y: jax.Array, train: bool) -> jax.Array:
    """Option B: a normalized 1x1 convolution, where the block changes the shape.

    Where the residual branch does not pad, its map is smaller, and the shortcut loses
    its last rows and columns.
    """
    if block.strides != 1 or x.shape[-1] != y.shape[-1]:
        x = point(block, y.shape[-1], block.strides, name="shortcut")(x, train)
    height, width = y.shape[-3:-1]
    return x[..., :height, :width, :]


class BasicBlock(Formed):
    """relu(shortcut(x) + norm(conv(relu(norm(conv(x))))))."""

    features: int
    strides: int
    shortcut: Callable = projected_shortcut

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        y = self.part(ConvNorm, self.features, self.strides, name="first")(x, train)
        y = self.part(ConvNorm, self.features, name="second")(nn.relu(y), train)
        return nn.relu(self.shortcut(self, x, y, train) + y)


class Bottleneck(Formed):
    """relu(shortcut(x) + narrow(x)) with 1x1, 3x3 and 1x1 convolutions in `narrow`.

    Each of them is normalized, with a ReLU after the first two. `kernel` and `padding`
    are those of the middle one, which has `groups` of channels; `group_width` of 64
    features go to each of them (Xie et al. 2017, arXiv 1611.05431).
    """

    features: int
    strides: int
    kernel: int = 3
    padding: Padding = SYMMETRIC_PADDING
    groups: int = 1
    group_width: int = 64

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        narrow = self.features * self.group_width // 64 * self.groups
        shape = {"kernel": self.kernel, "padding": self.padding, "groups": self.groups}
        middle = self.part(ConvNorm, narrow, self.strides, **shape, name="second")
        y = point(self, narrow, name="first")(x, train)
        y = nn.relu(middle(nn.relu(y), train))
        y = point(self, EXPANSION * self.features, name="third")(y, train)
        return nn.relu(projected_shortcut(self, x, y, train) + y)


class Gate(Formed):
    """Squeeze and excitation: a factor for each channel, from the mean over the map.

        x * sigmoid(point(activation(point(mean(x)))))

    with 1x1 convolutions `point`, to `narrow` channels and back (Hu et al. 2018, arXiv
    1709.01507).
    """

    narrow: int
    activation: Callable[[jax.Array], jax.Array]

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        shape: dict[str, Any] = {"kernel": 1, "padding": "VALID", "use_bias": True}
        y = jnp.mean(x, axis=(-3, -2), keepdims=True)
        y = self.activation(conv(self.narrow, **shape, name="first")(y))
        return x * nn.sigmoid(conv(x.shape[-1], **shape, name="second")(y))


def point(network: Formed, features: int, strides: int = 1, *, name: str) -> ConvNorm:
    """A normalized 1x1 convolution."""
    shape = (features, strides, "VALID")
    return network.part(ConvNorm, *shape, kernel=1, name=name)
