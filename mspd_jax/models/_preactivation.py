"""PreAct ResNet and Wide ResNet in the variant of DeepMind's robust models.

The networks of Gowal et al. (arXiv 2010.03593, 2110.09468) and Rebuffi et al. (arXiv
2103.01946), as RobustBench loads them. They differ from the common ones in three ways:
strided 3x3 convolutions pad below and to the right only; the PreAct shortcut is a 3x3
convolution of the raw input, the Wide one a 1x1 convolution of the activated input; the
activation is SiLU or ReLU.
"""

import functools
from collections.abc import Callable

import jax
from flax import linen as nn

from mspd_jax.models._form import Classifier, Formed, Layers, block_places
from mspd_jax.models._layers import SAME_PADDING, ConvNorm, Norm, conv

PREACT_BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}


class PreactivationBlock(Formed):
    """shortcut(x) + conv(act(norm(conv(act(norm(x)))))).

    `wide` decides what stands in the shortcut where the number of channels changes: a
    1x1 convolution of act(norm(x)) if true, a 3x3 convolution of x itself otherwise.
    """

    features: int
    strides: int
    activation: Callable[[jax.Array], jax.Array]
    wide: bool

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        strides, padding = self.strides, SAME_PADDING[self.strides]
        first = self.part(ConvNorm, self.features, strides, padding, name="first")
        active = self.activation(self.part(Norm, name="norm0")(x, train))
        y = first(active, train)
        y = conv(self.features, name="second")(self.activation(y))
        if x.shape[-1] == self.features:
            return x + y
        shape = {"kernel": 1, "padding": "VALID"} if self.wide else {"padding": padding}
        shortcut = conv(self.features, strides=strides, **shape, name="shortcut")
        return shortcut(active if self.wide else x) + y


class PreactResNet(Classifier):
    """PreAct ResNet-18 or -34: normalized images [..., H, W, C] -> logits."""

    depth: int
    activation: Callable[[jax.Array], jax.Array]

    @nn.nowrap
    def layers(self, train: bool) -> Layers:
        stages = list(zip((64, 128, 256, 512), PREACT_BLOCKS[self.depth], strict=True))
        return _layers(self, train, stem=64, stages=stages, wide=False)


class WideResNet(Classifier):
    """Wide ResNet-depth-width: normalized images [..., H, W, C] -> logits."""

    depth: int
    width: int
    activation: Callable[[jax.Array], jax.Array]

    @nn.nowrap
    def layers(self, train: bool) -> Layers:
        blocks = (self.depth - 4) // 6
        stages = [(scale * self.width, blocks) for scale in (16, 32, 64)]
        return _layers(self, train, stem=16, stages=stages, wide=True)


def _layers(
    network: PreactResNet | WideResNet,
    train: bool,
    *,
    stem: int,
    stages: list[tuple[int, int]],
    wide: bool,
) -> Layers:
    """Stem, stages of (features, blocks), final normalization."""
    layers: Layers = {"stem": conv(stem, name="stem")}
    for name, stage, block in block_places([blocks for _, blocks in stages]):
        shape = stages[stage][0], 2 if stage > 0 and block == 0 else 1
        form = (*shape, network.activation, wide)
        module = network.part(PreactivationBlock, *form, name=name)
        layers[name] = functools.partial(module, train=train)
    norm = network.part(Norm, name="norm")
    layers["norm"] = lambda x: network.activation(norm(x, train))
    return layers
