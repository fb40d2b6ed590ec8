"""ONNX files as `predict` functions."""

import os
from collections.abc import Sequence

import jax
from jax import numpy as jnp
from jax.tree_util import Partial

from mspd_jax.errors import InputError, first_line
from mspd_jax.models.foreign._function import Shape, image_function
from mspd_jax.models.foreign._onnx_graph import ONNX, read_graph
from mspd_jax.models.foreign._program import run


def from_onnx(
    path: str | os.PathLike,
    *,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> Partial:
    """An ONNX classifier as `predict`: image [H, W, C] in [0, 1] -> logits [K].

        predict(image) = network(((image - mean) / std) as [1, C, H, W])[0]

    Its graph is computed by JAX: `jit`, `vmap` and derivatives of any order work. Where
    the file says that channels come last, they do. Floating point arrays are leaves.
    Refused in one line: weights in other files, operations without a counterpart (all
    are named), batches of another size than one, several inputs or outputs, results
    that are not [1, K].

    Args:
      path: an .onnx file; nothing in it is executed.
      mean, std: what images are normalized with, by channel, for pixels in [0, 1];
        None where the network does it.

    Returns:
      image -> logits, a callable pytree.

    Example:
      predict = models.from_onnx("resnet18.onnx", mean=MEAN, std=STD)
    """
    graph, what = read_graph(path), str(path)

    def network(weights, x):
        x = x.transpose(0, 2, 3, 1) if graph.last else x
        try:
            logits = run(graph.program, ONNX, weights, x)
        except (TypeError, ValueError, KeyError, IndexError) as error:
            raise InputError(
                f"{what} cannot be run on images {x.shape[1:]}: {first_line(error)}"
            ) from error
        floating = jnp.issubdtype(logits.dtype, jnp.floating)
        if logits.ndim != 2 or logits.shape[0] != 1 or not floating:
            raise InputError(
                f"{what} returns {logits.dtype.name}{list(logits.shape)} for one image "
                "where logits [1, K] are expected"
            )
        return logits

    shape = _image_shape(graph.sizes, graph.last)
    predict = image_function(
        network,
        graph.weights,
        what,
        fingerprint=repr(graph.program),
        shape=shape,
        mean=mean,
        std=std,
    )
    if shape is not None:
        jax.eval_shape(predict, jax.ShapeDtypeStruct(shape, jnp.float32))
    return predict


def _image_shape(sizes: Sequence[int | None], last: bool) -> Shape | None:
    """(H, W, C), where the file says all of it."""
    if not all(sizes[1:]):
        return None
    first, second, third = (int(n or 0) for n in sizes[1:])
    return (first, second, third) if last else (second, third, first)
