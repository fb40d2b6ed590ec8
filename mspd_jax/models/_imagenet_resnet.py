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

from mspd_jax.models._layers import (
    SYMMETRIC_PADDING,
    WHOLE,
    ConvNorm,
    global_average,
    in_turn,
)

# A 1x1 convolution.
POINT = {"kernel": 1, "padding": "VALID"}
# A bottleneck gives so many times the channels of its 3x3 convolution.
EXPANSION = 4


class BasicBlock(nn.Module):
    """relu(shortcut(x) + norm(conv(relu(norm(conv(x))))))."""

    features: int
    strides: int
    axis_name: str | None = None
    folded: bool = False

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        form = dict(axis_name=self.axis_name, folded=self.folded)
        y = ConvNorm(self.features, self.strides, **form, name="first")(x, train)
        y = ConvNorm(self.features, **form, name="second")(nn.relu(y), train)
        return _join(self, x, y, train)


class Bottleneck(nn.Module):
    """relu(shortcut(x) + narrow(x)) with 1x1, 3x3 and 1x1 convolutions in `narrow`.

    Each of them is normalized, and a ReLU stands between them. `kernel` and `padding`
    are those of the middle one. Where it does not pad, the map shrinks, and the
    shortcut loses its last rows and columns.
    """

    features: int
    strides: int
    kernel: int = 3
    padding: tuple | str = SYMMETRIC_PADDING
    axis_name: str | None = None
    folded: bool = False

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        form = dict(axis_name=self.axis_name, folded=self.folded)
        shape = dict(kernel=self.kernel, padding=self.padding)
        outputs = EXPANSION * self.features
        y = ConvNorm(self.features, **POINT, **form, name="first")(x, train)
        middle = ConvNorm(self.features, self.strides, **shape, **form, name="second")
        y = nn.relu(middle(nn.relu(y), train))
        y = ConvNorm(outputs, **POINT, **form, name="third")(y, train)
        return _join(self, x, y, train)


class ImageNetResNet(nn.Module):
    """ImageNet ResNet: normalized images [..., H, W, C] -> logits [..., num_classes].

    `width` is the number of channels after the stem; each stage has twice as many as
    the one before. Images may have any size; maps are 32 times smaller at the end.
    """

    depth: int
    num_classes: int
    width: int
    axis_name: str | None = None
    folded: bool = False

    @nn.compact
    def __call__(
        self, x: jax.Array, train: bool = False, span: tuple = WHOLE
    ) -> jax.Array:
        form = dict(axis_name=self.axis_name, folded=self.folded)
        shape = dict(kernel=7, padding=((3, 3), (3, 3)))
        stem = ConvNorm(self.width, 2, **shape, **form, name="stem")
        layers = {"stem": lambda x: nn.relu(stem(x, train)), "pool": _max_pool}
        kind, stages = IMAGENET_STAGES[self.depth]
        for stage, blocks in enumerate(stages):
            for block in range(blocks):
                strides = 2 if stage > 0 and block == 0 else 1
                name = f"stage{stage}_block{block}"
                module = kind(self.width * 2**stage, strides, **form, name=name)
                layers[name] = functools.partial(module, train=train)
        head = nn.Dense(self.num_classes, name="head")
        layers["head"] = lambda x: head(global_average(x))
        return in_turn(layers, x, span)


# By depth: the kind of block, and how many of them each stage has.
IMAGENET_STAGES = {
    18: (BasicBlock, (2, 2, 2, 2)),
    34: (BasicBlock, (3, 4, 6, 3)),
    50: (Bottleneck, (3, 4, 6, 3)),
    101: (Bottleneck, (3, 4, 23, 3)),
    152: (Bottleneck, (3, 8, 36, 3)),
}


def _join(block, x, y, train):
    """relu(shortcut(x) + y), inside of a block whose residual branch gave `y`."""
    if block.strides != 1 or x.shape[-1] != y.shape[-1]:
        form = dict(axis_name=block.axis_name, folded=block.folded)
        shortcut = ConvNorm(
            y.shape[-1], block.strides, **POINT, **form, name="shortcut"
        )
        x = shortcut(x, train)
    height, width = y.shape[-3:-1]
    return nn.relu(x[..., :height, :width, :] + y)


def _max_pool(x):
    return nn.max_pool(x, (3, 3), strides=(2, 2), padding=SYMMETRIC_PADDING)
