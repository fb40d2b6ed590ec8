"""Convolutions, dense layers and ReLUs in a row: the networks of robustness proofs.

With such networks certified training and verification were developed (Wong and Kolter,
arXiv 1711.00851; Gowal et al., arXiv 1810.12715), and their weights are published.
"""

import functools
import re
from collections.abc import Mapping

import numpy as np
from flax import linen as nn

from mspd_jax.models.networks._family import CIFAR10, Family, Numbers, Renamings
from mspd_jax.models.networks._form import (
    Layers,
    VectorClassifier,
    activated,
    dense_layers,
)
from mspd_jax.models.networks._layers import conv


class PlainCNN(VectorClassifier):
    """Convolutions, then dense layers, with biases, a ReLU after all but the last.

    `channels`, `kernels`, `strides` and `paddings` have a number for each convolution,
    `dense` one for each dense layer before the head. It reads images of one size alone.
    """

    channels: tuple[int, ...]
    kernels: tuple[int, ...]
    strides: tuple[int, ...]
    paddings: tuple[int, ...]
    dense: tuple[int, ...]

    @nn.nowrap
    def layers(self) -> Layers:
        layers: Layers = {}
        rows = (self.channels, self.kernels, self.strides, self.paddings)
        for index, row in enumerate(zip(*rows, strict=True)):
            width, kernel, stride, padding = row
            name, sides = f"conv{index}", ((padding, padding), (padding, padding))
            module = conv(
                width,
                kernel=kernel,
                strides=stride,
                padding=sides,
                use_bias=True,
                name=name,
            )
            layers[name] = functools.partial(activated, module)
        return layers | dense_layers(self.dense)


def _torch_names(options: dict) -> Renamings:
    """Of a Sequential: convolutions and ReLUs, a Flatten, dense layers and ReLUs."""
    first = 2 * len(options["channels"]) + 1
    return (
        (r"^conv(\d+)", lambda match: str(2 * int(match[1]))),
        (r"^dense(\d+)", lambda match: str(first + 2 * int(match[1]))),
        (r"^head", str(first + 2 * len(options["dense"]))),
    )


def _options_in(tensors: Mapping[str, np.ndarray]) -> dict:
    """Widths and kernels; the usual strides and paddings of such kernels.

    A kernel of 4 goes two pixels at a time and pads 1, one of 3 goes one and pads 1.
    """
    names = sorted(filter(re.compile(r"\d+\.weight").fullmatch, tensors), key=_number)
    weights = [tensors[name] for name in names]
    kernels = [w.shape for w in weights if w.ndim == 4]
    dense = [int(w.shape[0]) for w in weights if w.ndim == 2]
    if not kernels:
        raise ValueError("0.weight")
    return {
        "channels": [int(shape[0]) for shape in kernels],
        "kernels": [int(shape[-1]) for shape in kernels],
        "strides": [2 if shape[-1] % 2 == 0 else 1 for shape in kernels],
        "paddings": [(int(shape[-1]) - 1) // 2 for shape in kernels],
        "dense": dense[:-1],
    }


def _number(name: str) -> int:
    return int(name.split(".")[0])


PLAIN_CNN = Family(
    names="plain_cnn",
    pattern="plain_cnn",
    network=PlainCNN,
    options={
        "channels": Numbers((16, 32)),
        "kernels": Numbers((4, 4)),
        "strides": Numbers((2, 2)),
        "paddings": Numbers((1, 1), least=0),
        "dense": Numbers((100,), empty=True),
    },
    equally_many=("channels", "kernels", "strides", "paddings"),
    normalization=CIFAR10,
    torch_names=_torch_names,
    options_in=_options_in,
)
