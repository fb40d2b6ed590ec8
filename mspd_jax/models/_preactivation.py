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

from mspd_jax.models._layers import (
    SAME_PADDING,
    WHOLE,
    ConvNorm,
    Norm,
    conv,
    global_average,
    in_turn,
)

PREACT_BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}


class PreactivationBlock(nn.Module):
    """shortcut(x) + conv(act(norm(conv(act(norm(x)))))).

    `wide` decides what stands in the shortcut where the number of channels changes: a
    1x1 convolution of act(norm(x)) if true, a 3x3 convolution of x itself otherwise.
    """

    features: int
    strides: int
    activation: Callable[[jax.Array], jax.Array]
    wide: bool
    axis_name: str | None = None
    folded: bool = False

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        form = dict(axis_name=self.axis_name, folded=self.folded)
        same = SAME_PADDING[self.strides]
        shape = dict(strides=self.strides, padding=same)
        active = self.activation(Norm(**form, name="norm0")(x, train))
        y = ConvNorm(self.features, **shape, **form, name="first")(active, train)
        y = conv(self.features, name="second")(self.activation(y))
        if x.shape[-1] == self.features:
            return x + y
        if self.wide:
            point = dict(kernel=1, strides=self.strides, padding="VALID")
            return conv(self.features, **point, name="shortcut")(active) + y
        return conv(self.features, **shape, name="shortcut")(x) + y


class PreactResNet(nn.Module):
    """PreAct ResNet-18 or -34: normalized images [..., H, W, C] -> logits."""

    depth: int
    num_classes: int
    activation: Callable[[jax.Array], jax.Array]
    axis_name: str | None = None
    folded: bool = False

    @nn.compact
    def __call__(
        self, x: jax.Array, train: bool = False, span: tuple = WHOLE
    ) -> jax.Array:
        stages = list(zip((64, 128, 256, 512), PREACT_BLOCKS[self.depth], strict=True))
        return _body(self, x, train, span, stem=64, stages=stages, wide=False)


class WideResNet(nn.Module):
    """Wide ResNet-depth-width: normalized images [..., H, W, C] -> logits."""

    depth: int
    width: int
    num_classes: int
    activation: Callable[[jax.Array], jax.Array]
    axis_name: str | None = None
    folded: bool = False

    @nn.compact
    def __call__(
        self, x: jax.Array, train: bool = False, span: tuple = WHOLE
    ) -> jax.Array:
        blocks = (self.depth - 4) // 6
        stages = [(scale * self.width, blocks) for scale in (16, 32, 64)]
        return _body(self, x, train, span, stem=16, stages=stages, wide=True)


def _body(network, x, train, span, *, stem, stages, wide):
    """Stem, stages of (features, blocks), final normalization, average, classifier."""
    form = dict(axis_name=network.axis_name, folded=network.folded)
    layers = {"stem": conv(stem, name="stem")}
    for stage, (features, blocks) in enumerate(stages):
        for block in range(blocks):
            name = f"stage{stage}_block{block}"
            shape = (features, 2 if stage > 0 and block == 0 else 1)
            module = PreactivationBlock(
                *shape, network.activation, wide, **form, name=name
            )
            layers[name] = functools.partial(module, train=train)
    norm = Norm(**form, name="norm")
    layers["norm"] = lambda x: network.activation(norm(x, train))
    head = nn.Dense(network.num_classes, name="head")
    layers["head"] = lambda x: head(global_average(x))
    return in_turn(layers, x, span)
