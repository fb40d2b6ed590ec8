"""Which pixels an output reads: receptive fields, found in the program itself.

A function of an image is traced to its primitive operations, and the rows and columns
that each value reads are followed through them, branches and all. What cannot be
followed is refused, so a field that is found is never too small: in exact arithmetic an
output does not depend on a pixel outside its field, whatever the weights are. Rounding
does not either where convolutions are computed window by window (`split`).
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np
from jax.extend.core import Literal

from mspd_jax.errors import InputError


class Reach(NamedTuple):
    """Along an axis, output i reads the pixels stride i + low to stride i + high."""

    stride: int
    low: int
    high: int


PIXEL = Reach(stride=1, low=0, high=0)


class _Local(NamedTuple):
    """Of a value that looks at the image, its axes of rows and columns, and reaches."""

    axes: tuple[int, int]
    reaches: tuple[Reach, Reach]


def reach_of(
    function: Callable, image_shape: tuple[int, int, int]
) -> tuple[Reach, Reach]:
    """What the outputs of `function` read of an image, by rows and by columns.

    function: [H, W, C] -> [h, w, ...]. Raises InputError with the reason if its outputs
    are not a map of places whose receptive fields can be found.
    """
    image = jax.ShapeDtypeStruct(image_shape, np.float32)
    jaxpr = jax.make_jaxpr(function)(image).jaxpr
    (found,) = _follow(jaxpr, [_Local((0, 1), (PIXEL, PIXEL))])
    if found is None:
        raise InputError("it does not look at the image")
    if found.axes != (0, 1):
        raise InputError("its first two axes are not the rows and columns of a map")
    return found.reaches


def _follow(jaxpr, inputs: list[_Local | None]) -> list[_Local | None]:
    """What is known of a program's outputs; None where one does not see the image."""
    known = dict(zip(jaxpr.invars, inputs, strict=True))

    def value(variable):
        return None if isinstance(variable, Literal) else known.get(variable)

    for equation in jaxpr.eqns:
        values = [value(variable) for variable in equation.invars]
        if any(values):
            found = _apply(equation, values)
            known.update(zip(equation.outvars, found, strict=True))
    return [value(variable) for variable in jaxpr.outvars]


def _apply(equation, values):
    name = equation.primitive.name
    if name in _CALLS:
        inner = next(equation.params[k] for k in _INNER if k in equation.params)
        return _follow(getattr(inner, "jaxpr", inner), values)
    if name in _POINTWISE:
        return [_pointwise(equation, values)]
    if name not in _RULES:
        raise InputError(f"what {name} reads of the image is not known")
    if any(values[1:]):
        raise InputError(f"{name} takes more than one value that looks at the image")
    shapes = [variable.aval.shape for variable in equation.invars]
    return [_RULES[name](values[0], shapes, **equation.params)]


# Operations that are calls of a program, and where they keep it.
_CALLS = set(
    "jit pjit closed_call core_call remat checkpoint remat2 custom_jvp_call "
    "custom_vjp_call custom_vjp_call_jaxpr".split()
)
_INNER = ("jaxpr", "call_jaxpr", "fun_jaxpr")
# Maps that are concatenated along rows or columns are smaller than what they make.
_POINTWISE = set(
    "abs add add_any and cbrt clamp concatenate convert_element_type copy cos div eq "
    "erf exp exp2 expm1 floor ge gt integer_pow is_finite le log log1p logistic lt max "
    "min mul ne neg not or pow reduce_precision rsqrt select_n sign sin sqrt square "
    "stop_gradient sub tanh".split()
)


def _pointwise(equation, values):
    """Places of equal number see what all operands see there."""
    shape = equation.outvars[0].aval.shape
    seen = [
        (v, x.aval.shape) for v, x in zip(values, equation.invars, strict=True) if v
    ]
    axes = {v.axes for v, _ in seen}
    if len(axes) > 1 or any(x[a] != shape[a] for v, x in seen for a in v.axes):
        raise InputError(f"{equation.primitive.name} joins maps of different places")
    pairs = zip(*(v.reaches for v, _ in seen), strict=True)
    return _Local(axes.pop(), tuple(_union(pair) for pair in pairs))


def _union(reaches):
    strides = {reach.stride for reach in reaches}
    if len(strides) > 1:
        raise InputError("two branches of different strides meet")
    low, high = min(r.low for r in reaches), max(r.high for r in reaches)
    return Reach(strides.pop(), low, high)


def _convolution(value, shapes, *, strides, padding, **_):
    return _windowed(value, (1, 2), shapes[1][:2], strides, padding)


def _general_convolution(value, shapes, *, dimension_numbers, **settings):
    if set(settings["lhs_dilation"]) != {1}:
        raise InputError("the reach of a map with gaps is not known")
    numbers = dimension_numbers
    sizes = [shapes[1][axis] for axis in numbers.rhs_spec[2:]]
    spread = settings["rhs_dilation"]
    kernel = [(k - 1) * d + 1 for k, d in zip(sizes, spread, strict=True)]
    axes = tuple(numbers.lhs_spec[2:])
    if axes != tuple(numbers.out_spec[2:]):
        raise InputError("a convolution moves rows and columns to other axes")
    window = (settings["window_strides"], settings["padding"])
    return _windowed(value, axes, kernel, *window)


def _pool(value, shapes, *, window_dimensions, window_strides, padding, **settings):
    del shapes
    for dilation in ("base_dilation", "window_dilation"):
        if set(settings[dilation]) != {1}:
            raise InputError("the reach of a dilated window is not known")
    sizes = [(window_dimensions[a], window_strides[a], padding[a]) for a in value.axes]
    return _windowed(value, value.axes, *zip(*sizes, strict=True))


def _windowed(value, axes, kernel, strides, padding):
    if value.axes != axes:
        raise InputError("a window slides over other axes than rows and columns")
    windows = zip(kernel, strides, padding, strict=True)
    steps = [(step, -before, size - 1 - before) for size, step, (before, _) in windows]
    return _through(value, steps)


def _slice(value, shapes, *, start_indices, strides, **_):
    strides = strides or (1,) * len(shapes[0])
    starts = [(strides[a], start_indices[a]) for a in value.axes]
    return _through(value, [(stride, start, start) for stride, start in starts])


def _pad(value, shapes, *, padding_config):
    del shapes
    configs = [padding_config[a] for a in value.axes]
    if any(interior for _, _, interior in configs):
        raise InputError("the reach of a map with gaps is not known")
    return _through(value, [(1, -before, -before) for before, _, _ in configs])


def _through(value, steps):
    """What reads, at place i of either axis, the values stride i + low to .. + high."""
    reaches = tuple(
        Reach(of.stride * stride, of.low + of.stride * low, of.high + of.stride * high)
        for of, (stride, low, high) in zip(value.reaches, steps, strict=True)
    )
    return value._replace(reaches=reaches)


def _reshape(value, shapes, *, new_sizes, dimensions=None, **_):
    if dimensions is not None:
        raise InputError("a reshape changes the order of the axes")
    places = [_axis_after_reshape(shapes[0], new_sizes, axis) for axis in value.axes]
    if None in places or places[0] == places[1]:
        raise InputError("a reshape mixes rows or columns with another axis")
    return value._replace(axes=tuple(places))


def _axis_after_reshape(shape, new, axis):
    """Where an axis is afterwards, None if it does not stay an axis of its own."""
    before = math.prod(shape[:axis])
    for place, size in enumerate(new):
        if size == shape[axis] and math.prod(new[:place]) == before:
            return place
    return None


def _reduce(value, shapes, *, axes, **_):
    del shapes
    if set(axes) & set(value.axes):
        raise InputError("it sums or compares over all rows or columns")
    kept = tuple(a - sum(other < a for other in axes) for a in value.axes)
    return value._replace(axes=kept)


def _squeeze(value, shapes, *, dimensions):
    return _reduce(value, shapes, axes=dimensions)


def _broadcast(value, shapes, *, shape, broadcast_dimensions, **_):
    axes = tuple(broadcast_dimensions[a] for a in value.axes)
    if any(shapes[0][a] != shape[b] for a, b in zip(value.axes, axes, strict=True)):
        raise InputError("one place is copied to many")
    return value._replace(axes=axes)


def _transpose(value, shapes, *, permutation):
    del shapes
    return value._replace(axes=tuple(permutation.index(a) for a in value.axes))


_RULES = {
    "dense_convolution": _convolution,
    "conv_general_dilated": _general_convolution,
    "reduce_window_max": _pool,
    "reduce_window_sum": _pool,
    "slice": _slice,
    "pad": _pad,
    "reshape": _reshape,
    "squeeze": _squeeze,
    "broadcast_in_dim": _broadcast,
    "transpose": _transpose,
} | dict.fromkeys(("reduce_sum", "reduce_max", "reduce_min"), _reduce)
