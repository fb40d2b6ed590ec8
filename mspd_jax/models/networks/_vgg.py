"""VGG-11/13/16/19 (Simonyan and Zisserman 2015, arXiv 1409.1556), normalized or not.

Layouts and layer orders are those of torchvision, whose checkpoints
`mspd_jax.models.convert_torch` reads, and those of the same networks for CIFAR, where
the map behind the convolutions is a single place.
"""

import functools
import math
from collections.abc import Iterator, Mapping
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from mspd_jax.errors import InputError
from mspd_jax.models.networks._family import IMAGENET, Family, Number, names_of
from mspd_jax.models.networks._form import (
    Layers,
    VectorClassifier,
    activated,
    rectified,
)
from mspd_jax.models.networks._layers import ConvNorm, largest
from mspd_jax.models.networks._layouts import FLATTENED

# By depth: how many convolutions each of the five stages has.
VGG_STAGES = {
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}
# The last stage is as wide as the one before, not twice as wide.
_WIDEST = 3
_TOO_SMALL = (
    "the images are too small for a VGG, which halves them five times: give images of "
    "at least 32x32 pixels"
)


class PlainVGG(VectorClassifier):
    """VGG without normalization: normalized images [..., H, W, C] -> logits.

    3x3 convolutions of `width` channels and more, with a max pool behind each stage;
    the mean over `places` times as many windows of the map; three dense layers, of
    `hidden` features but for the last. Layers are numbered as in torchvision, where
    convolution, normalization, ReLU and pool count one each: "layer0", "pool3".

    Deviation: no dropout between the dense layers in training; networks here are
    functions of their weights and images alone.
    """

    depth: int
    width: int
    hidden: int
    places: int
    norm: ClassVar[bool] = False

    @nn.nowrap
    def layers(self) -> Layers:
        layers: Layers = {}
        form = {"use_bias": True, "folded": self.folded or not self.norm}
        for number, width in self._plan():
            if width is None:
                layers[f"pool{number}"] = functools.partial(
                    halving_pool, size=2, too_small=_TOO_SMALL
                )
            else:
                name = f"layer{number}"
                module = self.part(ConvNorm, width, **form, name=name)
                layers[name] = functools.partial(rectified, module)
        return layers | dense_ends(self.hidden, self.places)

    @nn.nowrap
    def _plan(self) -> Iterator[tuple[int, int | None]]:
        """Number and channels of each convolution; None for a pool."""
        number = 0
        for stage, count in enumerate(VGG_STAGES[self.depth]):
            for _ in range(count):
                yield number, self.width * 2 ** min(stage, _WIDEST)
                number += 3 if self.norm else 2
            yield number, None
            number += 1


class VGG(PlainVGG):
    """VGG with a batch normalization behind each convolution, else as `PlainVGG`."""

    norm = True


def halving_pool(x: jax.Array, train: bool, *, size: int, too_small: str) -> jax.Array:
    """Maxima over size x size pixels, at every second one.

    too_small: what is said of images whose map has become smaller than a window.
    """
    del train
    if min(x.shape[-3:-1]) < size:
        raise InputError(too_small)
    return largest(x, size, 2)


def dense_ends(hidden: int, places: int) -> Layers:
    """The mean over places x places windows, and two dense layers, each with a ReLU."""
    whole = nn.DenseGeneral(
        hidden, axis=(-3, -2, -1), dot_general=_matrix_product, name="dense0"
    )
    dense = nn.Dense(hidden, name="dense1")
    return {
        "pool": lambda x, train: adaptive_average(x, places),
        "dense0": functools.partial(activated, whole),
        "dense1": functools.partial(activated, dense),
    }


def _matrix_product(x, kernel, dimension_numbers, precision=None, **_):
    """`lax.dot_general` of [..., h, w, C] and [h, w, C, K] as that of matrices.

    With more axes, its gradient turns the kernel, 100 million numbers, in each pass.
    """
    del dimension_numbers
    x = jnp.reshape(x, (*x.shape[:-3], -1))
    kernel = jnp.reshape(kernel, (x.shape[-1], -1))
    return jnp.dot(x, kernel, precision=precision)


def adaptive_average(x: jax.Array, places: int) -> jax.Array:
    """Means over places x places windows that cover a map of any size.

    Window i of a side of n pixels holds those from floor(i n / places) to
    ceil((i + 1) n / places); they overlap, and repeat pixels, where n is no multiple.
    [..., H, W, C] -> [..., places, places, C].
    """
    rows, columns = (_windows(size, places) for size in x.shape[-3:-1])
    if rows is not None:
        x = jnp.einsum("ph,...hwc->...pwc", rows, x, precision="highest")
    if columns is not None:
        x = jnp.einsum("qw,...pwc->...pqc", columns, x, precision="highest")
    return x


def _windows(size: int, places: int) -> jax.Array | None:
    """The matrix [places, size] of the means; None for the identity."""
    if size == places:
        return None
    matrix = np.zeros((places, size), np.float32)
    for place in range(places):
        low, high = place * size // places, math.ceil((place + 1) * size / places)
        matrix[place, low:high] = 1 / (high - low)
    return jnp.asarray(matrix)


def _options_in(tensors: Mapping[str, np.ndarray]) -> dict:
    first, dense = (tensors.get(f"{n}.0.weight") for n in ("features", "classifier"))
    if first is None or dense is None or first.ndim != 4 or dense.ndim != 2:
        raise ValueError("features.0.weight or classifier.0.weight")
    width, (hidden, inputs) = len(first), dense.shape
    places = math.isqrt(inputs // (width * 2**_WIDEST))
    return {"width": width, "hidden": hidden, "places": max(1, places)}


PLAIN_VGG = Family(
    names="vgg11, vgg13, vgg16, vgg19",
    pattern=rf"vgg(?P<depth>{names_of(VGG_STAGES)})",
    network=PlainVGG,
    options={"width": Number(64), "hidden": Number(4096), "places": Number(7)},
    normalization=IMAGENET,
    size=224,
    torch_names=(
        (r"^layer(\d+)/conv", r"features.\1"),
        (r"^layer(\d+)/norm", lambda match: f"features.{int(match[1]) + 1}"),
        (r"^dense0", "classifier.0"),
        (r"^dense1", "classifier.3"),
        (r"^head", "classifier.6"),
    ),
    torch_layouts=((r"^dense0/kernel", FLATTENED),),
    options_in=_options_in,
)
VGG_NORM = PLAIN_VGG._replace(
    names="vgg11_bn, vgg13_bn, vgg16_bn, vgg19_bn",
    pattern=PLAIN_VGG.pattern + "_bn",
    network=VGG,
)
