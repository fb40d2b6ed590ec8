"""How precisely networks compute: a matter of the moment when they are traced."""

import contextlib
import contextvars
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.tree_util import Partial
from jax.typing import DTypeLike

from mspd_jax.errors import InputError
from mspd_jax.models._callable import as_pytree

# By name, what JAX calls the products. Where networks hold bfloat16, so do products.
_PRODUCTS = {"float32": "float32", "tf32": "tensorfloat32", "bfloat16": None}
PRECISIONS = tuple(_PRODUCTS)

# Of a trace in bfloat16, the networks that it has met; None in any other.
_met: contextvars.ContextVar[list[str] | None] = contextvars.ContextVar(
    "met", default=None
)


@contextlib.contextmanager
def passes_in(precision: str) -> Iterator[None]:
    """While a function is traced: networks compute in this precision.

    float32: products in full, also on accelerators that would round their factors.
    tf32: factors rounded to 10 bits where the device has that, as recent GPUs do (on a
    CPU it is float32; on a TPU three passes of bfloat16). bfloat16: weights and
    activations of networks with a specification have 8 bits, images and logits stay
    float32. Gradients go the way of the values.
    """
    if precision not in _PRODUCTS:
        raise ValueError(f"precision {precision!r}: expected one of {PRECISIONS}")
    token = _met.set([] if precision == "bfloat16" else None)
    try:
        with jax.default_matmul_precision(_PRODUCTS[precision]):
            yield
    finally:
        _met.reset(token)


def network_dtype(default: DTypeLike, *, name: str) -> DTypeLike:
    """The type that a network of this name computes in, now that it is traced."""
    met = _met.get()
    if met is None:
        return default
    met.append(name)
    return jnp.bfloat16


def computed_in(function: Callable, precision: str) -> Partial:
    """A function, such as a `predict`, whose networks compute in a precision.

    Args:
      function: of any arguments, a callable pytree or a function.
      precision: float32, tf32 or bfloat16; see `passes_in`.

    Returns:
      The function, a callable pytree: its leaves are those of `function`.

    Example:
      fast = models.computed_in(models.predictor(model), "bfloat16")
    """
    return Partial(_computed(precision), as_pytree(function))


@functools.cache  # another function for each precision, so that none serves for others
def _computed(precision):
    def computed(function, *arguments):
        with passes_in(precision):
            return function(*arguments)

    return computed


def check_precision(
    predict: Callable[[Any], Any], precision: str, *, image_shape: Sequence[int]
) -> None:
    """InputError unless a model can compute in this precision.

    What is no network with a specification computes in the types that it is written in.
    """
    if precision != "bfloat16":
        return
    with passes_in(precision):
        met = _met.get()
        # A new function: JAX has not traced it before.
        image = jax.ShapeDtypeStruct(tuple(image_shape), jnp.float32)
        jax.eval_shape(lambda x: predict(x), image)
    if not met:
        raise InputError(
            f"`precision`={precision} is for networks with a specification; this model "
            "is a function, which computes in the types that it is written in: use "
            "float32 or tf32"
        )
