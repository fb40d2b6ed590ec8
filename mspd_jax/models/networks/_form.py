"""What every layer, block and network of ours has: an axis name, and one of two forms.

* Training form: `params` and `batch_stats`; batch statistics when `train` is true,
  running statistics otherwise.
* Folded form (`folded=True`): `params` alone, evaluation only. Every normalization is
  one multiply-add per channel, and one that follows a convolution is part of its
  kernel and bias. `fold_norms` turns the weights of the first form into the second.
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import jax
import jax.numpy as jnp
from flax import linen as nn

from mspd_jax.errors import InputError

# By name, in order: from what a layer reads, and whether in training, what it makes.
Layers = dict[str, Callable[[jax.Array, bool], jax.Array]]
# Of a network's layers, by name: the one after which it begins, and its last one.
Span = tuple[str | None, str | None]
WHOLE: Span = (None, None)

# A block's name as in `block_places`, for the tables of PyTorch's names.
BLOCK_NAME = r"stage(\d)_block(\d+)/"

_Part = TypeVar("_Part", bound=nn.Module)


class Formed(nn.Module, kw_only=True):
    """A module in one of the two forms.

    Attributes:
      axis_name: batch statistics are averaged over the devices of this axis.
      folded: whether this is the folded form.
    """

    axis_name: str | None = None
    folded: bool = False

    @nn.nowrap
    def part(
        self, kind: Callable[..., _Part], *args: object, **fields: object
    ) -> _Part:
        """A submodule `kind(*args, **fields)` in the form of this module."""
        form = {"axis_name": self.axis_name, "folded": self.folded}
        return kind(*args, **(form | fields))


class Classifier(Formed, kw_only=True):
    """Layers in a row, then the mean over the map and a dense layer, `head`.

    Normalized images [..., H, W, C] -> logits [..., num_classes]. A subclass says what
    its `layers` are, and may have another `summary` than the mean. With a `span` only
    the layers behind the first of the two names and up to the second are applied: the
    two parts of `split`.
    """

    num_classes: int

    @nn.nowrap
    def layers(self) -> Layers:
        """All layers before the head."""
        raise NotImplementedError

    @nn.nowrap
    def summary(self, x: jax.Array) -> jax.Array:
        """What the head reads of the layers' output: [..., features]."""
        return global_average(x)

    @nn.nowrap
    def make_head(self) -> nn.Module:
        """The module `head`, from the summary to the logits."""
        return nn.Dense(self.num_classes, name="head")

    @nn.compact
    def __call__(
        self, x: jax.Array, train: bool = False, span: Span = WHOLE
    ) -> jax.Array:
        head = self.make_head()
        layers = self.layers() | {"head": lambda x, train: head(self.summary(x))}
        return in_turn(layers, x, train, span)


class VectorClassifier(Classifier):
    """A `Classifier` whose last layer gives a vector, which the head reads as it is."""

    @nn.nowrap
    def summary(self, x: jax.Array) -> jax.Array:
        """The vector."""
        return x


def block_places(blocks: Sequence[int]) -> Iterator[tuple[str, int, int]]:
    """Name, stage and number within it of each block; a stage has `blocks[stage]`."""
    for stage, count in enumerate(blocks):
        for block in range(count):
            yield f"stage{stage}_block{block}", stage, block


def in_stages(
    block: Callable[..., nn.Module], width: int, blocks: Sequence[int]
) -> Layers:
    """Stages of blocks: all but the first begin with a stride of 2, twice as wide.

    block: (features, strides, name=...) -> a module. blocks: how many each stage has.
    """
    layers: Layers = {}
    for name, stage, number in block_places(blocks):
        strides = 2 if stage > 0 and number == 0 else 1
        layers[name] = block(width * 2**stage, strides, name=name)
    return layers


def in_turn(layers: Layers, x: jax.Array, train: bool, span: Span) -> jax.Array:
    """`x` through those layers, in their order, that `span` names (see `WHOLE`)."""
    names = list(layers)
    for name in span:
        if name not in (None, *names):
            raise InputError(f"there is no layer {name!r}: it has {', '.join(names)}")
    after, last = span
    start = 0 if after is None else names.index(after) + 1
    stop = len(names) if last is None else names.index(last) + 1
    for name in names[start:stop]:
        x = layers[name](x, train)
    return x


def flattened(x: jax.Array) -> jax.Array:
    """A map as a vector in PyTorch's order, channels first: [..., C * H * W]."""
    return jnp.reshape(jnp.moveaxis(x, -1, -3), (*x.shape[:-3], -1))


def dense_layers(widths: Sequence[int]) -> Layers:
    """The map as a vector, then dense layers, each with a ReLU."""
    layers: Layers = {"flatten": lambda x, train: flattened(x)}
    for index, width in enumerate(widths):
        dense = nn.Dense(width, name=f"dense{index}")
        layers[f"dense{index}"] = functools.partial(activated, dense)
    return layers


def activated(module: Callable, x: jax.Array, train: bool) -> jax.Array:
    """What a layer without normalization makes of `x`, behind a ReLU."""
    del train
    return nn.relu(module(x))


def rectified(module: Callable, x: jax.Array, train: bool) -> jax.Array:
    """What a layer with normalization makes of `x`, behind a ReLU."""
    return nn.relu(module(x, train))


def global_average(x: jax.Array) -> jax.Array:
    """Mean over the two spatial axes: [..., H, W, C] -> [..., C]."""
    return jnp.mean(x, axis=(-3, -2))
