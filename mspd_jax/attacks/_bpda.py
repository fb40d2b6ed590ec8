"""Backward pass differentiable approximation (Athalye et al. 2018, arXiv 1802.00420).

A defense may have no useful gradient: it rounds, it draws, it hides the gradient. An
adaptive attack keeps its values and takes the gradient of something like it.
"""

from collections.abc import Callable

import jax
from jax.tree_util import Partial

from mspd_jax.models import as_pytree


def bpda(predict: Callable, *, backward: Callable) -> Partial:
    """The values of one model with the gradient of another at the same point.

        value(x) = predict(x),    gradient(x, v) = v^T J backward(x)

    predict, backward: [H, W, C] -> [K], callable pytrees or functions; both stay leaves
    of the result, so new weights do not compile again. The gradient flows to the image
    alone, in reverse mode; the weights of both are constants. A gradient costs one
    prediction of `predict` and one prediction and backward pass of `backward`, whatever
    the number of cotangents.
    """
    return Partial(_value, as_pytree(predict), as_pytree(backward))


def straight_through(
    transform: Callable, *, backward: Callable | None = None
) -> Partial:
    """A transform of images whose backward pass is that of another, or the identity.

        value(x) = transform(x),    gradient(x, v) = v^T J backward(x)

    With backward=None, v itself: BPDA with the identity. A defense predict(g(x)) is
    attacked as predict(straight_through(g)(x)). transform, backward: [H, W, C] -> an
    image; callable pytrees or functions, kept as in `bpda`. Raises ValueError if the
    two differ in shape (resizing needs a `backward` that resizes as well).
    """
    backward = _identity if backward is None else backward
    return bpda(transform, backward=backward)


def _identity(image):
    return image


@jax.custom_vjp
def _value(predict, backward, image):
    value = predict(image)
    _check_shape(value, jax.eval_shape(backward, image))
    return value


def _value_and_residuals(predict, backward, image):
    value = predict(image)
    # Here and not in the backward pass: K cotangents share one forward pass.
    replaced, pull = jax.vjp(backward, image)
    _check_shape(value, replaced)
    return value, pull


def _pulled(pull, cotangent):
    return None, None, *pull(cotangent)


_value.defvjp(_value_and_residuals, _pulled)


def _check_shape(value, replaced):
    if (value.shape, value.dtype) != (replaced.shape, replaced.dtype):
        raise ValueError(
            f"backward must return what it stands in for, {value.dtype} {value.shape}; "
            f"got {replaced.dtype} {replaced.shape}"
        )
