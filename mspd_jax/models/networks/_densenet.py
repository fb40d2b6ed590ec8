"""DenseNet-121/161/169/201 (Huang et al. 2017, arXiv 1608.06993).

Layout and layer order are those of torchvision, whose checkpoints
`mspd_jax.models.convert_torch` reads.
"""

import functools
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from mspd_jax.errors import InputError
from mspd_jax.models.networks._blocks import point
from mspd_jax.models.networks._family import (
    IMAGENET,
    Family,
    Number,
    names_of,
    respelled,
    shape_in,
)
from mspd_jax.models.networks._form import (
    BLOCK_NAME,
    Classifier,
    Formed,
    Layers,
    block_places,
    rectified,
)
from mspd_jax.models.networks._layers import (
    SYMMETRIC_PADDING,
    ConvNorm,
    Norm,
    conv,
    largest,
)

# By depth: how many layers each stage has.
DENSENET_STAGES = {
    121: (6, 12, 24, 16),
    161: (6, 12, 36, 24),
    169: (6, 12, 32, 32),
    201: (6, 12, 48, 32),
}
_LAST = len(DENSENET_STAGES[121]) - 1
# A layer's 1x1 convolution makes so many times the channels that it adds.
_BOTTLENECK = 4


class DenseLayer(Formed):
    """x, and behind its channels `growth` new ones:

    conv(relu(norm(point(relu(norm(x)))))), with a 1x1 and a 3x3 convolution.
    """

    growth: int

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        y = nn.relu(self.part(Norm, name="norm0")(x, train))
        y = nn.relu(point(self, _BOTTLENECK * self.growth, name="first")(y, train))
        y = conv(self.growth, name="second")(y)
        return jnp.concatenate([x, y], axis=-1)


class Transition(Formed):
    """Half the channels, at half the size: pool(point(relu(norm(x))))."""

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        if min(x.shape[-3:-1]) < 2:
            raise InputError(
                "the images are too small for a DenseNet, which halves them five "
                "times: give images of at least 29x29 pixels"
            )
        y = nn.relu(self.part(Norm, name="norm0")(x, train))
        y = conv(x.shape[-1] // 2, kernel=1, padding="VALID", name="conv")(y)
        return nn.pool(y, 0.0, jax.lax.add, (2, 2), (2, 2), "VALID") * 0.25


class DenseNet(Classifier):
    """DenseNet: normalized images [..., H, W, C] -> logits [..., num_classes].

    A 7x7 convolution to `width` channels and a max pool, then four stages of layers
    that add `growth` channels each, with a transition between stages.
    """

    depth: int
    width: int
    growth: int

    @nn.nowrap
    def layers(self) -> Layers:
        shape = (self.width, 2, ((3, 3), (3, 3)))
        stem = self.part(ConvNorm, *shape, kernel=7, name="stem")
        last = self.part(Norm, name="norm")
        layers: Layers = {
            "stem": functools.partial(rectified, stem),
            "pool": lambda x, train: largest(x, 3, 2, SYMMETRIC_PADDING),
        }
        blocks = DENSENET_STAGES[self.depth]
        for name, stage, number in block_places(blocks):
            layers[name] = self.part(DenseLayer, self.growth, name=name)
            if number == blocks[stage] - 1 and stage < _LAST:
                name = f"transition{stage}"
                layers[name] = self.part(Transition, name=name)
        return layers | {"norm": functools.partial(rectified, last)}


def _options_in(tensors: Mapping[str, np.ndarray]) -> dict:
    sources = {
        "width": "features.conv0.weight",
        "growth": "features.denseblock1.denselayer1.conv2.weight",
    }
    return {option: shape_in(tensors, n, 4)[0] for option, n in sources.items()}


DENSENET = Family(
    names="densenet121, densenet169, densenet201",
    pattern=rf"densenet(?P<depth>{names_of(DENSENET_STAGES)})",
    network=DenseNet,
    options={"width": Number(64), "growth": Number(32)},
    normalization=IMAGENET,
    size=224,
    # Files from before 2019, torchvision's own among them: "denselayer1.norm.1".
    canonical=respelled((r"(denselayer\d+\.(?:norm|conv))\.(\d)", r"\1\2")),
    torch_names=(
        (
            BLOCK_NAME,
            lambda match: (
                f"features.denseblock{int(match[1]) + 1}.denselayer{int(match[2]) + 1}."
            ),
        ),
        (
            r"^transition(\d)",
            lambda match: f"features.transition{int(match[1]) + 1}",
        ),
        (r"(features\.transition\d)/norm0", r"\1.norm"),
        (r"norm0", "norm1"),
        (r"first/conv", "conv1"),
        (r"first/norm", "norm2"),
        (r"second", "conv2"),
        (r"^stem/(conv|norm)", r"features.\g<1>0"),
        (r"^norm", "features.norm5"),
        (r"^head", "classifier"),
    ),
    options_in=_options_in,
    fits=lambda numbers: numbers["depth"] != 161,
)
DENSENET_161 = DENSENET._replace(
    names="densenet161",
    options={"width": Number(96), "growth": Number(48)},
    fits=lambda numbers: numbers["depth"] == 161,
)
