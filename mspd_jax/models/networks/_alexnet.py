"""AlexNet (Krizhevsky et al. 2012), with the channels of arXiv 1404.5997.

Layout and layer order are those of torchvision, whose checkpoints
`mspd_jax.models.convert_torch` reads.
"""

import functools
from collections.abc import Mapping

import numpy as np
from flax import linen as nn

from mspd_jax.models.networks._family import IMAGENET, Family, Number, shape_in
from mspd_jax.models.networks._form import Layers, VectorClassifier, activated
from mspd_jax.models.networks._layers import conv
from mspd_jax.models.networks._layouts import FLATTENED
from mspd_jax.models.networks._vgg import dense_ends, halving_pool

# By torchvision's number: how many times the channels of the first, kernel, stride and
# padding; a max pool where there are none.
_LAYERS = {
    0: (1, 11, 4, 2),
    2: None,
    3: (3, 5, 1, 2),
    5: None,
    6: (6, 3, 1, 1),
    8: (4, 3, 1, 1),
    10: (4, 3, 1, 1),
    12: None,
}
# A side of what the dense layers read.
_PLACES = 6
_TOO_SMALL = (
    "the images are too small for an AlexNet: give images of at least 63x63 pixels"
)


class AlexNet(VectorClassifier):
    """AlexNet: normalized images [..., H, W, C] of at least 63x63 pixels -> logits.

    Five convolutions, the first to `width` channels, and three max pools; the mean over
    6x6 windows; three dense layers, of `hidden` features but for the last. Layers are
    numbered as in torchvision, where a ReLU counts: "layer0", "pool2".

    Deviation: no dropout between the dense layers in training; networks here are
    functions of their weights and images alone.
    """

    width: int
    hidden: int

    @nn.nowrap
    def layers(self) -> Layers:
        layers: Layers = {}
        for number, row in _LAYERS.items():
            if row is None:
                layers[f"pool{number}"] = functools.partial(
                    halving_pool, size=3, too_small=_TOO_SMALL
                )
                continue
            times, kernel, strides, padding = row
            name = f"layer{number}"
            module = conv(
                times * self.width,
                kernel=kernel,
                strides=strides,
                padding=((padding, padding),) * 2,
                use_bias=True,
                name=name,
            )
            layers[name] = functools.partial(activated, module)
        return layers | dense_ends(self.hidden, _PLACES)


def _options_in(tensors: Mapping[str, np.ndarray]) -> dict:
    return {
        "width": shape_in(tensors, "features.0.weight", 4)[0],
        "hidden": shape_in(tensors, "classifier.1.weight", 2)[0],
    }


ALEXNET = Family(
    names="alexnet",
    pattern="alexnet",
    network=AlexNet,
    options={"width": Number(64), "hidden": Number(4096)},
    normalization=IMAGENET,
    size=224,
    torch_names=(
        (r"^layer(\d+)", r"features.\1"),
        (r"^dense0", "classifier.1"),
        (r"^dense1", "classifier.4"),
        (r"^head", "classifier.6"),
    ),
    torch_layouts=((r"^dense0/kernel", FLATTENED),),
    options_in=_options_in,
)
