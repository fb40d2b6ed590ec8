"""PyTorch's operations on single values, with its derivatives at corners."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

Number = Any  # an array, or a number of Python


def clamp(x: jax.Array, low: Number = None, high: Number = None) -> jax.Array:
    """The derivative is 1 on the interval with its ends."""
    x = x if low is None else jnp.where(x < low, low, x).astype(_joint(x, low))
    return x if high is None else jnp.where(x > high, high, x).astype(_joint(x, high))


def hardtanh(x: jax.Array, low: Number = -1.0, high: Number = 1.0) -> jax.Array:
    """The derivative is 0 at the ends of the interval."""
    x = jnp.where(x <= low, jnp.asarray(low, x.dtype), x)
    return jnp.where(x >= high, jnp.asarray(high, x.dtype), x)


def _joint(x: jax.Array, other: Number) -> Any:
    return jnp.result_type(x, other)


def _abs(x: jax.Array) -> jax.Array:
    return x * jnp.sign(x)  # the derivative at 0 is 0


def _add(a: Number, b: Number, *, alpha: Number = 1) -> jax.Array:
    return jnp.add(a, b if alpha == 1 else alpha * b)


def _sub(a: Number, b: Number, *, alpha: Number = 1) -> jax.Array:
    return jnp.subtract(a, b if alpha == 1 else alpha * b)


def _rsub(a: Number, b: Number, alpha: Number = 1) -> jax.Array:
    return _sub(b, a, alpha=alpha)


def _div(a: Number, b: Number, *, rounding_mode: str | None = None) -> jax.Array:
    if rounding_mode == "floor":
        return jnp.floor_divide(a, b)
    quotient = jnp.true_divide(a, b)
    if rounding_mode == "trunc":
        return jnp.trunc(quotient).astype(jnp.result_type(a, b))
    return quotient


def _pow(a: Number, b: Number) -> jax.Array:
    whole = isinstance(b, float) and b.is_integer()
    return jnp.power(a, int(b) if whole else b)  # exact, and with a derivative at 0


def _where(condition: jax.Array, a: Number, b: Number) -> jax.Array:
    return jnp.where(condition, a, b)


def _leaky_relu(x: jax.Array, slope: Number = 0.01) -> jax.Array:
    return jnp.where(x > 0, x, x * slope)


def _elu(
    x: jax.Array, alpha: Number = 1.0, scale: Number = 1.0, inner: Number = 1.0
) -> jax.Array:
    below = jnp.where(x > 0, 0, x) * inner  # so that exp of large values is not met
    return jnp.where(x > 0, scale * x, scale * alpha * jnp.expm1(below))


def _gelu(x: jax.Array, approximate: str = "none") -> jax.Array:
    return jax.nn.gelu(x, approximate=approximate == "tanh")


def _softplus(x: jax.Array, beta: Number = 1.0, threshold: Number = 20.0) -> jax.Array:
    scaled = x * beta
    linear = scaled > threshold
    soft = jnp.logaddexp(jnp.where(linear, 0, scaled), 0.0) / beta
    return jnp.where(linear, x, soft)


def _hardsigmoid(x: jax.Array) -> jax.Array:
    return hardtanh(x + 3, 0.0, 6.0) / 6


def _hardswish(x: jax.Array) -> jax.Array:
    return x * hardtanh(x + 3, 0.0, 6.0) / 6


def _mish(x: jax.Array) -> jax.Array:
    return x * jnp.tanh(_softplus(x))


def _prelu(x: jax.Array, slope: jax.Array) -> jax.Array:
    return jnp.where(x > 0, x, x * slope)


POINTWISE: dict[str, Callable] = {
    "abs": _abs,
    "acos": jnp.arccos,
    "add": _add,
    "asin": jnp.arcsin,
    "atan": jnp.arctan,
    "atan2": jnp.arctan2,
    "bitwise_and": jnp.bitwise_and,
    "bitwise_not": jnp.bitwise_not,
    "bitwise_or": jnp.bitwise_or,
    "bitwise_xor": jnp.bitwise_xor,
    "ceil": jnp.ceil,
    "clamp": clamp,
    "clamp_max": lambda x, high: clamp(x, None, high),
    "clamp_min": clamp,
    "cos": jnp.cos,
    "cosh": jnp.cosh,
    "div": _div,
    "elu": _elu,
    "eq": jnp.equal,
    "erf": jax.scipy.special.erf,
    "exp": jnp.exp,
    "expm1": jnp.expm1,
    "floor": jnp.floor,
    "floor_divide": jnp.floor_divide,
    "fmod": jnp.fmod,
    "ge": jnp.greater_equal,
    "gelu": _gelu,
    "gt": jnp.greater,
    "hardsigmoid": _hardsigmoid,
    "hardswish": _hardswish,
    "hardtanh": hardtanh,
    "isinf": jnp.isinf,
    "isnan": jnp.isnan,
    "le": jnp.less_equal,
    "leaky_relu": _leaky_relu,
    "log": jnp.log,
    "log10": jnp.log10,
    "log1p": jnp.log1p,
    "log2": jnp.log2,
    "logical_and": jnp.logical_and,
    "logical_not": jnp.logical_not,
    "logical_or": jnp.logical_or,
    "logical_xor": jnp.logical_xor,
    "lt": jnp.less,
    "masked_fill": lambda x, mask, value: jnp.where(mask, value, x).astype(x.dtype),
    "maximum": jnp.maximum,
    "minimum": jnp.minimum,
    "mish": _mish,
    "mul": jnp.multiply,
    "ne": jnp.not_equal,
    "neg": jnp.negative,
    "pow": _pow,
    "prelu": _prelu,
    "_prelu_kernel": _prelu,
    "reciprocal": jnp.reciprocal,
    "relu": jax.nn.relu,
    "remainder": jnp.remainder,
    "round": jnp.round,
    "rsqrt": jax.lax.rsqrt,
    "rsub": _rsub,
    "sigmoid": jax.nn.sigmoid,
    "sign": jnp.sign,
    "silu": jax.nn.silu,
    "sin": jnp.sin,
    "sinh": jnp.sinh,
    "softplus": _softplus,
    "sqrt": jnp.sqrt,
    "square": jnp.square,
    "sub": _sub,
    "tan": jnp.tan,
    "tanh": jnp.tanh,
    "trunc": jnp.trunc,
    "where": _where,
}
