"""How variables of ours lie in PyTorch: as a rule transposed."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

Shape = tuple[int, ...]


class Layout(NamedTuple):
    """A way in which PyTorch keeps a variable.

    Attributes:
      shape: of the variable -> of PyTorch's tensor.
      read: PyTorch's tensor, and the shape of the variable -> the variable.
    """

    shape: Callable[[Shape], Shape]
    read: Callable[[np.ndarray, Shape], np.ndarray]


# A pattern in a Flax path with its leaf, "first/kernel", and the layout of that.
Layouts = tuple[tuple[str, Layout], ...]


def _outputs_first(kernel: Shape) -> Shape:
    """[..., in, out] -> [out, in, ...]."""
    return (*kernel[:-3:-1], *kernel[:-2])


def _outputs_last(tensor: np.ndarray, kernel: Shape) -> np.ndarray:
    del kernel
    return np.moveaxis(tensor, (0, 1), (-1, -2)) if tensor.ndim > 1 else tensor


AS_IT_IS = Layout(lambda shape: shape, lambda tensor, shape: tensor)
# [h, w, in, out] as [out, in, h, w], [in, out] as [out, in].
TRANSPOSED = Layout(_outputs_first, _outputs_last)
# [h, w, in, out] as [out, in * h * w]: a dense layer that reads a flattened map, of
# which PyTorch has the channels first.
FLATTENED = Layout(
    lambda kernel: (kernel[-1], int(np.prod(kernel[:-1]))),
    lambda tensor, kernel: _outputs_last(
        tensor.reshape(_outputs_first(kernel)), kernel
    ),
)
