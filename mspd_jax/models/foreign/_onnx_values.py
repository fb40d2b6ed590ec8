"""ONNX's operations on values and shapes.

Sizes that a network computes (of arrays of NumPy) stay NumPy's, so that they are known
while JAX traces.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mspd_jax.models.foreign._aten_pointwise import POINTWISE as ATEN
from mspd_jax.models.foreign._aten_pointwise import clamp

_ZERO = np.zeros(1, np.float32)
Numbers = Any  # a sequence, or an array of NumPy


def _library(*values: Any) -> Any:
    """NumPy where all is known, else jax.numpy."""
    known = all(isinstance(v, np.ndarray | np.generic | int | float) for v in values)
    return np if known else jnp


def _both(name: str) -> Callable:
    return lambda *values: getattr(_library(*values), name)(*values)


def _div(a: Any, b: Any) -> Any:
    library = _library(a, b)
    quotient = library.true_divide(a, b)
    if library.issubdtype(library.result_type(a, b), np.integer):
        return library.trunc(quotient).astype(library.result_type(a, b))
    return quotient


def _many(name: str) -> Callable:
    def folded(*values: Any) -> Any:
        total = values[0]
        for value in values[1:]:
            total = getattr(_library(total, value), name)(total, value)
        return total

    return folded


def _ints(values: Numbers) -> list[int]:
    return [int(v) for v in np.asarray(values).reshape(-1)]


def _reshape(x: Any, sizes: Numbers, *, allowzero: int = 0) -> Any:
    found = _ints(sizes)
    kept = [x.shape[i] if n == 0 and not allowzero else n for i, n in enumerate(found)]
    return _library(x).reshape(x, kept)


def _flatten(x: Any, *, axis: int = 1) -> Any:
    first = axis if axis >= 0 else axis + x.ndim
    return x.reshape(int(np.prod(x.shape[:first])), -1)


def _squeeze(x: Any, places: Numbers = None, *, axes: Numbers = None) -> Any:
    chosen = axes if places is None else _ints(places)
    return _library(x).squeeze(x, None if chosen is None else tuple(chosen))


def _unsqueeze(x: Any, places: Numbers = None, *, axes: Numbers = None) -> Any:
    chosen = axes if places is None else _ints(places)
    return _library(x).expand_dims(x, tuple(chosen))


def _slice(
    x: Any,
    first: Numbers = None,
    last: Numbers = None,
    along: Numbers = None,
    by: Numbers = None,
    *,
    starts: Numbers = None,
    ends: Numbers = None,
    axes: Numbers = None,
) -> Any:
    begin = _ints(starts if first is None else first)
    end = _ints(ends if last is None else last)
    along = along if axes is None else axes
    axes = range(len(begin)) if along is None else _ints(along)
    steps = [1] * len(begin) if by is None else _ints(by)
    places: list[Any] = [slice(None)] * x.ndim
    for axis, a, b, step in zip(axes, begin, end, steps, strict=True):
        n = x.shape[axis]
        # Behind the first value, backwards: no number says that, but None.
        places[axis] = slice(a, None if step < 0 and b < -n else b, step)
    return x[tuple(places)]


def _split(
    x: Any,
    lengths: Numbers = None,
    *,
    axis: int = 0,
    split: Numbers = None,
    num_outputs: int,
) -> Any:
    sizes = split if lengths is None else _ints(lengths)
    if sizes is None:
        most = -(-x.shape[axis] // num_outputs)
        ends = list(range(most, x.shape[axis], most))
    else:
        ends = list(np.cumsum(sizes)[:-1])
    return tuple(_library(x).split(x, ends, axis=axis))


def _pad(
    x: jax.Array,
    around: Numbers = None,
    fill: Any = None,
    along: Numbers = None,
    *,
    pads: Numbers = None,
    value: float = 0.0,
    mode: str = "constant",
) -> jax.Array:
    given = _ints(pads if around is None else around)
    axes = range(x.ndim) if along is None else _ints(along)
    widths = [(0, 0)] * x.ndim
    for place, axis in enumerate(axes):
        widths[axis] = given[place], given[place + len(given) // 2]
    if mode != "constant":
        return jnp.pad(x, widths, mode=mode)
    low = value if fill is None else jnp.reshape(fill, ())
    # Negative numbers cut.
    return jax.lax.pad(x, jnp.asarray(low, x.dtype), [(a, b, 0) for a, b in widths])


def _clip(
    x: Any,
    low: Any = None,
    high: Any = None,
    *,
    min: float | None = None,
    max: float | None = None,
) -> jax.Array:
    return clamp(x, min if low is None else low, max if high is None else high)


def _gather(x: Any, places: Any, *, axis: int = 0) -> Any:
    return _library(x, places).take(x, places, axis=axis)


def _concat(*parts: Any, axis: int) -> Any:
    return _library(*parts).concatenate(parts, axis=axis)


def _expand(x: Any, sizes: Numbers) -> jax.Array:
    return x * jnp.ones(_ints(sizes), x.dtype)


def _reduction(name: str) -> Callable:
    def reduced(
        x: Any,
        places: Numbers = None,
        *,
        axes: Numbers = None,
        keepdims: int = 1,
        noop_with_empty_axes: int = 0,
    ) -> Any:
        chosen = axes if places is None else _ints(places)
        if not chosen and noop_with_empty_axes:
            return x
        axis = tuple(chosen) if chosen else None
        return getattr(_library(x), name)(x, axis=axis, keepdims=bool(keepdims))

    return reduced


def _l2(x: jax.Array, places: Numbers = None, **options: Any) -> jax.Array:
    return jnp.sqrt(_reduction("sum")(x * x, places, **options))


def _arg_max(x: jax.Array, *, axis: int = 0, keepdims: int = 1) -> jax.Array:
    return jnp.argmax(x, axis=axis, keepdims=bool(keepdims))


def _hard_sigmoid(x: jax.Array, *, alpha: float = 0.2, beta: float = 0.5) -> jax.Array:
    return clamp(alpha * x + beta, 0.0, 1.0)


def _selu(
    x: jax.Array, *, alpha: float = 1.673263192176819, gamma: float = 1.0507010221481323
) -> jax.Array:
    return ATEN["elu"](x, alpha, gamma)


def _constant_of_shape(sizes: Numbers, *, value: np.ndarray = _ZERO) -> np.ndarray:
    return np.full(_ints(sizes), value[0])


def _same(x: Any, *_: Any, **__: Any) -> Any:
    return x


VALUES: dict[str, Callable] = {
    "Abs": ATEN["abs"],
    "Add": _both("add"),
    "And": _both("logical_and"),
    "ArgMax": _arg_max,
    "Cast": lambda x, to: x.astype(to),
    "Ceil": _both("ceil"),
    "Clip": _clip,
    "Concat": _concat,
    "ConstantOfShape": _constant_of_shape,
    "Cos": jnp.cos,
    "Div": _div,
    "Dropout": _same,
    "Elu": lambda x, alpha=1.0: ATEN["elu"](x, alpha),
    "Equal": _both("equal"),
    "Erf": jax.scipy.special.erf,
    "Exp": jnp.exp,
    "Expand": _expand,
    "Flatten": _flatten,
    "Floor": _both("floor"),
    "Gather": _gather,
    "Gelu": lambda x, approximate="none": ATEN["gelu"](x, approximate),
    "Greater": _both("greater"),
    "GreaterOrEqual": _both("greater_equal"),
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": ATEN["hardswish"],
    "Identity": _same,
    "LeakyRelu": lambda x, alpha=0.01: ATEN["leaky_relu"](x, alpha),
    "Less": _both("less"),
    "LessOrEqual": _both("less_equal"),
    "Log": jnp.log,
    "Max": _many("maximum"),
    "Mean": lambda *parts: _many("add")(*parts) / len(parts),
    "Min": _many("minimum"),
    "Mish": ATEN["mish"],
    "Mul": _both("multiply"),
    "Neg": _both("negative"),
    "Not": _both("logical_not"),
    "Or": _both("logical_or"),
    "PRelu": ATEN["prelu"],
    "Pad": _pad,
    "Pow": lambda x, y: ATEN["pow"](x, y.item() if isinstance(y, np.ndarray) else y),
    "Reciprocal": jnp.reciprocal,
    "ReduceL2": _l2,
    "ReduceMax": _reduction("max"),
    "ReduceMean": _reduction("mean"),
    "ReduceMin": _reduction("min"),
    "ReduceProd": _reduction("prod"),
    "ReduceSum": _reduction("sum"),
    "Relu": jax.nn.relu,
    "Reshape": _reshape,
    "Selu": _selu,
    "Shape": lambda x, start=0, end=None: np.array(x.shape[start:end], np.int64),
    "Sigmoid": jax.nn.sigmoid,
    "Sin": jnp.sin,
    "Slice": _slice,
    "Softplus": jax.nn.softplus,
    "Softsign": jax.nn.soft_sign,
    "Split": _split,
    "Sqrt": jnp.sqrt,
    "Squeeze": _squeeze,
    "Sub": _both("subtract"),
    "Sum": _many("add"),
    "Tanh": jnp.tanh,
    "Transpose": lambda x, perm=None: _library(x).transpose(x, perm),
    "Unsqueeze": _unsqueeze,
    "Where": lambda c, a, b: _library(c, a, b).where(c, a, b),
}
