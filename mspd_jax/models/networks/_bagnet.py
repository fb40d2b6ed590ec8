"""BagNet-9/17/33 (Brendel and Bethge, ICLR 2019, arXiv 1904.00760).

A ResNet-50 whose outputs see little of the image: nearly all 3x3 convolutions are 1x1,
and none of them pads. Every place of the last map is a function of one small patch, and
the logits are the mean of what the classifier says of each patch. Layout and layer
order are those of wielandbrendel/bag-of-local-features-models, whose checkpoints
`mspd_jax.models.convert_torch` reads.
"""

import functools
import re
from collections.abc import Mapping

import jax
import numpy as np
from flax import linen as nn

from mspd_jax.errors import InputError
from mspd_jax.models.networks._blocks import TORCH_NAMES, Bottleneck
from mspd_jax.models.networks._family import (
    IMAGENET,
    Family,
    Number,
    Numbers,
    names_of,
)
from mspd_jax.models.networks._form import Classifier, Layers, block_places
from mspd_jax.models.networks._layers import ConvNorm, conv
from mspd_jax.models.networks._resnet import imagenet_options

# By the size of the patches: in how many stages the first block has a 3x3 convolution.
BAGNET_STAGES = {9: 2, 17: 3, 33: 4}
# Of the reference code: what the running moments of the stem, and of it alone, keep.
_STEM_MOMENTUM = 0.999


class BagNet(Classifier):
    """BagNet: normalized images [..., H, W, C] -> logits [..., num_classes].

    `patch` names the network: with strides 2, 2, 2, 1 each place of the last map sees
    patch x patch pixels, and neighboring patches begin 8 pixels apart. `width` is the
    number of channels after the stem; `blocks` and `strides` have a number for each
    stage. Smaller strides see smaller patches.
    """

    patch: int
    width: int
    blocks: tuple[int, ...]
    strides: tuple[int, ...]

    @nn.nowrap
    def layers(self) -> Layers:
        first = conv(self.width, kernel=1, padding="VALID", name="point")
        moments = {"momentum": _STEM_MOMENTUM, "padding": "VALID"}
        stem = self.part(ConvNorm, self.width, **moments, name="stem")
        layers: Layers = {"stem": lambda x, train: nn.relu(stem(first(x), train))}
        for name, stage, block in block_places(self.blocks):
            large = block == 0 and stage < BAGNET_STAGES[self.patch]
            module = self.part(
                Bottleneck,
                self.width * 2**stage,
                self.strides[stage] if block == 0 else 1,
                kernel=3 if large else 1,
                padding="VALID",
                name=name,
            )
            layers[name] = functools.partial(self._block, module)
        return layers

    @nn.nowrap
    def _block(self, module: Bottleneck, x: jax.Array, train: bool) -> jax.Array:
        if min(x.shape[-3:-1]) < module.kernel:
            raise InputError(
                f"the images are too small for a bagnet{self.patch} with strides "
                f"{list(self.strides)}: no patch fits into them"
            )
        return module(x, train)


def _options_in(tensors: Mapping[str, np.ndarray]) -> dict:
    firsts = re.findall(r"layer(\d+)\.\d+\.conv1\.weight", " ".join(tensors))
    blocks = [firsts.count(str(stage)) for stage in range(1, 5)]
    return imagenet_options(tensors) | ({"blocks": blocks} if all(blocks) else {})


BAGNET = Family(
    names="bagnet9, bagnet17, bagnet33 (for ImageNet)",
    pattern=rf"bagnet(?P<patch>{names_of(BAGNET_STAGES)})",
    network=BagNet,
    options={
        "width": Number(64),
        "blocks": Numbers((3, 4, 6, 3), length=4),
        "strides": Numbers((2, 2, 2, 1), length=4),
    },
    normalization=IMAGENET,
    size=224,
    torch_names=(
        (r"^point", "conv1"),
        (r"^stem/conv", "conv2"),
        *TORCH_NAMES,
        (r"^head", "fc"),
    ),
    options_in=_options_in,
)
