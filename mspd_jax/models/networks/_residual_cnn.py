"""Residual networks without normalization: those of the verification competitions.

As in the models of alpha-beta-CROWN (Wang et al., arXiv 2103.06624): `resnet2b` and
`resnet4b`.
"""

import functools
import re
from collections.abc import Mapping

import jax
import numpy as np
from flax import linen as nn

from mspd_jax.models.networks._family import (
    CIFAR10,
    Family,
    Number,
    Numbers,
    blocks_in,
    shape_in,
)
from mspd_jax.models.networks._form import (
    BLOCK_NAME,
    Layers,
    VectorClassifier,
    block_places,
    dense_layers,
)
from mspd_jax.models.networks._layers import conv


class BiasedBlock(nn.Module):
    """relu(shortcut(x) + conv(relu(conv(x)))), with biases.

    Where the block changes the shape, the shortcut is a 1x1 convolution.
    """

    features: int
    strides: int

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        del train
        place = functools.partial(conv, self.features, use_bias=True)
        y = nn.relu(place(strides=self.strides, name="first")(x))
        y = place(name="second")(y)
        if self.strides != 1 or x.shape[-1] != self.features:
            point = functools.partial(place, kernel=1, padding="VALID")
            x = point(strides=self.strides, name="shortcut")(x)
        return nn.relu(x + y)


class ResidualCNN(VectorClassifier):
    """A strided convolution, stages of blocks that each begin with a stride of 2.

    `widths` has the channels of each stage and `blocks` how many blocks it has; `dense`
    are the dense layers before the head. It reads images of one size alone.
    """

    stem: int
    widths: tuple[int, ...]
    blocks: tuple[int, ...]
    dense: tuple[int, ...]

    @nn.nowrap
    def layers(self) -> Layers:
        first = conv(self.stem, strides=2, use_bias=True, name="stem")
        layers: Layers = {"stem": lambda x, train: nn.relu(first(x))}
        for name, stage, block in block_places(self.blocks):
            layers[name] = BiasedBlock(
                self.widths[stage], 2 if block == 0 else 1, name=name
            )
        return layers | dense_layers(self.dense)


def _options_in(tensors: Mapping[str, np.ndarray]) -> dict:
    # Stages count from 1; there is at least one.
    blocks = blocks_in(tensors, r"layer(\d+)\.\d+\.conv1\.weight")[1:] or [0]
    firsts = [f"layer{i + 1}.0.conv1.weight" for i in range(len(blocks))]
    dense = sorted(filter(re.compile(r"linear\d+\.weight").fullmatch, tensors))
    return {
        "stem": shape_in(tensors, "conv1.weight", 4)[0],
        "widths": [shape_in(tensors, name, 4)[0] for name in firsts],
        "blocks": blocks,
        "dense": [int(tensors[name].shape[0]) for name in dense[:-1]],
    }


RESIDUAL_CNN = Family(
    names="residual_cnn",
    pattern="residual_cnn",
    network=ResidualCNN,
    options={
        "stem": Number(8),
        "widths": Numbers((16,)),
        "blocks": Numbers((2,)),
        "dense": Numbers((100,), empty=True),
    },
    equally_many=("widths", "blocks"),
    normalization=CIFAR10,
    torch_names=lambda options: (
        (BLOCK_NAME, lambda match: f"layer{int(match[1]) + 1}.{match[2]}."),
        (r"^stem", "conv1"),
        (r"first", "conv1"),
        (r"second", "conv2"),
        (r"shortcut", "shortcut.0"),
        (r"^dense(\d+)", lambda match: f"linear{int(match[1]) + 1}"),
        (r"^head", f"linear{len(options['dense']) + 1}"),
    ),
    options_in=_options_in,
)
