"""CIFAR ResNet-20/32/44/56/110 (He et al. 2016, section 4.2), shortcut option A.

Three stages of n = (depth - 2) / 6 basic blocks with 16, 32 and 64 channels. A shortcut
that changes the shape has no weights: every second pixel, and zero channels around.
Channel split and layer order are those of akamaster/pytorch_resnet_cifar10, whose
checkpoints `mspd_jax.models.convert_torch` reads.
"""

import functools

import jax
import jax.numpy as jnp
from flax import linen as nn

from mspd_jax.models._layers import WHOLE, ConvNorm, global_average, in_turn


class BasicBlock(nn.Module):
    """relu(shortcut(x) + norm(conv(relu(norm(conv(x))))))."""

    features: int
    strides: int
    axis_name: str | None = None
    folded: bool = False

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        form = dict(axis_name=self.axis_name, folded=self.folded)
        y = ConvNorm(self.features, self.strides, **form, name="first")(x, train)
        y = ConvNorm(self.features, **form, name="second")(nn.relu(y), train)
        return nn.relu(y + self._shortcut(x))

    def _shortcut(self, x):
        x = x[..., :: self.strides, :: self.strides, :]
        missing = self.features - x.shape[-1]
        before = missing // 2
        sides = [(0, 0)] * (x.ndim - 1) + [(before, missing - before)]
        return jnp.pad(x, sides) if missing else x


class ResNet(nn.Module):
    """CIFAR ResNet: normalized images [..., H, W, C] -> logits [..., num_classes]."""

    depth: int
    num_classes: int
    axis_name: str | None = None
    folded: bool = False

    @nn.compact
    def __call__(
        self, x: jax.Array, train: bool = False, span: tuple = WHOLE
    ) -> jax.Array:
        form = dict(axis_name=self.axis_name, folded=self.folded)
        stem = ConvNorm(16, **form, name="stem")
        layers = {"stem": lambda x: nn.relu(stem(x, train))}
        for stage, features in enumerate((16, 32, 64)):
            for block in range((self.depth - 2) // 6):
                strides = 2 if stage > 0 and block == 0 else 1
                name = f"stage{stage}_block{block}"
                module = BasicBlock(features, strides, **form, name=name)
                layers[name] = functools.partial(module, train=train)
        head = nn.Dense(self.num_classes, name="head")
        layers["head"] = lambda x: head(global_average(x))
        return in_turn(layers, x, span)
