"""A small convolutional network for 8x8 to 32x32 images of any channel count."""

import functools
from collections.abc import Callable

import jax
from flax import linen as nn

from mspd_jax.models._layers import WHOLE, ConvNorm, global_average, in_turn


class SmallCNN(nn.Module):
    """3x3 convolutions, all but the first with stride 2, average, classifier.

    `widths` are the channels of the convolutions; `norm` decides whether a
    normalization follows each of them or a bias takes its place.
    """

    num_classes: int
    widths: tuple[int, ...]
    norm: bool
    activation: Callable[[jax.Array], jax.Array]
    axis_name: str | None = None
    folded: bool = False

    @nn.compact
    def __call__(
        self, x: jax.Array, train: bool = False, span: tuple = WHOLE
    ) -> jax.Array:
        # Without normalization the network looks the same in both forms.
        form = dict(axis_name=self.axis_name, folded=self.folded or not self.norm)
        layers = {}
        for index, width in enumerate(self.widths):
            strides = 1 if index == 0 else 2
            module = ConvNorm(width, strides, **form, name=f"layer{index}")
            layers[module.name] = functools.partial(self._layer, module, train)
        head = nn.Dense(self.num_classes, name="head")
        layers["head"] = lambda x: head(global_average(x))
        return in_turn(layers, x, span)

    def _layer(self, module, train, x):
        return self.activation(module(x, train))
