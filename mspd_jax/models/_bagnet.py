"""BagNet-9/17/33 (Brendel and Bethge, ICLR 2019, arXiv 1904.00760).

A ResNet-50 whose outputs see little of the image: nearly all 3x3 convolutions are 1x1,
and none of them pads. Every place of the last map is a function of one small patch, and
the logits are the mean of what the classifier says of each patch. Layout and layer
order are those of wielandbrendel/bag-of-local-features-models, whose checkpoints
`mspd_jax.models.convert_torch` reads.
"""

import functools

import jax
from flax import linen as nn

from mspd_jax.errors import InputError
from mspd_jax.models._imagenet_resnet import POINT, Bottleneck
from mspd_jax.models._layers import WHOLE, ConvNorm, conv, global_average, in_turn

# By the size of the patches: in how many stages the first block has a 3x3 convolution.
BAGNET_STAGES = {9: 2, 17: 3, 33: 4}
# Of the reference code, for the normalization of the stem alone: what its running
# moments keep.
STEM_MOMENTUM = 0.999


class BagNet(nn.Module):
    """BagNet: normalized images [..., H, W, C] -> logits [..., num_classes].

    `patch` names the network: with strides 2, 2, 2, 1 each place of the last map sees
    patch x patch pixels, and neighboring patches begin 8 pixels apart. `width` is the
    number of channels after the stem; `blocks` and `strides` have a number for each
    stage. Smaller strides see smaller patches.
    """

    patch: int
    num_classes: int
    width: int
    blocks: tuple[int, ...]
    strides: tuple[int, ...]
    axis_name: str | None = None
    folded: bool = False

    @nn.compact
    def __call__(
        self, x: jax.Array, train: bool = False, span: tuple = WHOLE
    ) -> jax.Array:
        form = dict(axis_name=self.axis_name, folded=self.folded)
        point = conv(self.width, **POINT, name="point")
        stem = ConvNorm(
            self.width, padding="VALID", momentum=STEM_MOMENTUM, **form, name="stem"
        )
        layers = {"stem": lambda x: nn.relu(stem(point(x), train))}
        for stage, blocks in enumerate(self.blocks):
            for block in range(blocks):
                large = block == 0 and stage < BAGNET_STAGES[self.patch]
                name = f"stage{stage}_block{block}"
                module = Bottleneck(
                    self.width * 2**stage,
                    self.strides[stage] if block == 0 else 1,
                    kernel=3 if large else 1,
                    padding="VALID",
                    **form,
                    name=name,
                )
                layers[name] = functools.partial(self._block, module, train)
        head = nn.Dense(self.num_classes, name="head")
        layers["head"] = lambda x: head(global_average(x))
        return in_turn(layers, x, span)

    def _block(self, module, train, x):
        if min(x.shape[-3:-1]) < module.kernel:
            raise InputError(
                f"the images are too small for a bagnet{self.patch} with strides "
                f"{list(self.strides)}: no patch fits into them"
            )
        return module(x, train)
