"""A small convolutional network for 8x8 to 32x32 images of any channel count."""

import functools
from collections.abc import Callable, Mapping

import jax
import numpy as np
from flax import linen as nn

from mspd_jax.models.networks._family import Family, Flag, Numbers, activation
from mspd_jax.models.networks._form import Classifier, Layers
from mspd_jax.models.networks._layers import ConvNorm


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


def _options_in(tensors: Mapping[str, np.ndarray]) -> dict:
    widths: list[int] = []
    while (name := f"conv{len(widths)}.weight") in tensors:
        widths.append(int(tensors[name].shape[0]))
    if not widths:
        raise ValueError("conv0.weight")
    return {"widths": widths, "norm": "bn0.weight" in tensors}


SMALL_CNN = Family(
    names="small_cnn",
    pattern="small_cnn",
    network=SmallCNN,
    options={
        "activation": activation("relu"),
        "widths": Numbers((16, 32, 64)),
        "norm": Flag(True),
    },
    # In order of the layers.
    torch_names=(
        (r"^layer(\d+)/conv", r"conv\1"),
        (r"^layer(\d+)/norm", r"bn\1"),
        (r"^head", "linear"),
    ),
    options_in=_options_in,
)
