"""ImageNet ResNet-18/34/50/101/152 (He et al. 2016, section 4.1, arXiv 1512.03385).

A 7x7 convolution and a max pool, four stages of basic or bottleneck blocks, average,
classifier. A shortcut that changes the shape is a normalized 1x1 convolution (option
B). Layout and layer order are torchvision's, whose checkpoints
`mspd_jax.models.convert_torch` reads.

Deviation: a bottleneck has its stride in the 3x3 convolution, as in torchvision (known
as v1.5), where the paper has it in the 1x1 convolution before.
"""

import functools

import jax
from flax import linen as nn

from mspd_jax.models._blocks import BasicBlock, Bottleneck
from mspd_jax.models._form import Classifier, Layers, block_places
from mspd_jax.models._layers import SYMMETRIC_PADDING, ConvNorm

# By depth: the kind of block, and how many of them each stage has.
IMAGENET_STAGES = {
    18: (BasicBlock, (2, 2, 2, 2)),
    34: (BasicBlock, (3, 4, 6, 3)),
    50: (Bottleneck, (3, 4, 6, 3)),
    101: (Bottleneck, (3, 4, 23, 3)),
    152: (Bottleneck, (3, 8, 36, 3)),
}


class ImageNetResNet(Classifier):
    """ImageNet ResNet: normalized images [..., H, W, C] -> logits [..., num_classes].

    `width` is the number of channels after the stem; each stage has twice as many as
    the one before. Images may have any size; maps are 32 times smaller at the end.
    """

    depth: int
    width: int

    @nn.nowrap
    def layers(self, train: bool) -> Layers:
        shape = (self.width, 2, ((3, 3), (3, 3)))
        stem = self.part(ConvNorm, *shape, kernel=7, name="stem")
        layers: Layers = {"stem": lambda x: nn.relu(stem(x, train)), "pool": _max_pool}
        kind, blocks = IMAGENET_STAGES[self.depth]
        for name, stage, block in block_places(blocks):
            strides = 2 if stage > 0 and block == 0 else 1
            module = self.part(kind, self.width * 2**stage, strides, name=name)
            layers[name] = functools.partial(module, train=train)
        return layers


def _max_pool(x: jax.Array) -> jax.Array:
    return nn.max_pool(x, (3, 3), strides=(2, 2), padding=SYMMETRIC_PADDING)
