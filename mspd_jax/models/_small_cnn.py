"""A small convolutional network for 8x8 to 32x32 images of any channel count."""

import functools
from collections.abc import Callable

import jax
from flax import linen as nn

from mspd_jax.models._form import Classifier, Layers
from mspd_jax.models._layers import ConvNorm


class SmallCNN(Classifier):
    """3x3 convolutions, all but the first with stride 2, average, classifier.

    `widths` are the channels of the convolutions; `norm` decides whether a
    normalization follows each of them or a bias takes its place.
    """

    widths: tuple[int, ...]
    norm: bool
    activation: Callable[[jax.Array], jax.Array]

    @nn.nowrap
    def layers(self) -> Layers:
        layers: Layers = {}
        # Without normalization the network looks the same in both forms.
        folded = self.folded or not self.norm
        for index, width in enumerate(self.widths):
            shape, name = (width, 1 if index == 0 else 2), f"layer{index}"
            module = self.part(ConvNorm, *shape, folded=folded, name=name)
            layers[name] = functools.partial(self._layer, module)
        return layers

    @nn.nowrap
    def _layer(self, module: ConvNorm, x: jax.Array, train: bool) -> jax.Array:
        return self.activation(module(x, train))
