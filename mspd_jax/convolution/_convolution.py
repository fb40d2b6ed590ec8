"""The convolution of all models: `lax.conv_general_dilated`, made fast on CPUs.

Attacks live on input gradients, and XLA's own input gradient is slow on CPUs: it reads
the kernel with its channels swapped in place, and inside `fori_loop`, `scan` and
`lax.map` this survives as a memory layout (`01oi`) that misses the fast path. Here the
convolution and its gradients in input and kernel are operations of their own
(primitives). Each is linear in either argument and their derivatives are each other, so
derivatives of any order and in both modes stay fast; and each sees the whole batch
under `vmap`, so that it can choose the best method (`_winograd.py`, `_wide.py`,
`_adjoint.py`, `_onednn.py`, `_grouped.py`). Platforms other than the CPU compile to
that of `lax`.
"""

import contextlib
import contextvars
import functools
import math
from collections.abc import Iterator

import jax
from jax import lax
from jax import numpy as jnp
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir
from jax.typing import DTypeLike

from mspd_jax.convolution import _grouped as grouped
from mspd_jax.convolution import _onednn as onednn
from mspd_jax.convolution import _wide as wide
from mspd_jax.convolution import _winograd as winograd
from mspd_jax.convolution._adjoint import adjoint, adjoint_padding
from mspd_jax.convolution._direct import Padding, Pair, Precision, output_size
from mspd_jax.convolution._direct import convolve as convolve_directly

_direct = contextvars.ContextVar("direct", default=False)
_library = contextvars.ContextVar("library", default=False)
# An option of JAX that its own types do not list.
_PRECISION = "jax_default_matmul_precision"


def direct_convolutions() -> contextlib.AbstractContextManager[None]:
    """While a function is traced: no output reads a pixel outside its own window.

    See `_direct.py`. On CPUs, neighbors side by side only add zeros. Small
    tiles of Winograd's method were not seen to leak either, but are not taken, so that
    nothing rests on what cancels.
    """
    return _switched_on(_direct)


def library_convolutions() -> contextlib.AbstractContextManager[None]:
    """While a function is traced: on CPUs, oneDNN computes what is large enough.

    In versions of jaxlib where that is known to work (see `_onednn.py`); elsewhere
    nothing changes. Meant for what runs for long, since such a program is not kept in
    JAX's compilation cache. Rounds otherwise, in the last bits.

    Example:
      with library_convolutions():
          step = jax.jit(train_step).lower(*arguments).compile()
    """
    return _switched_on(_library)


@contextlib.contextmanager
def _switched_on(switch: contextvars.ContextVar[bool]) -> Iterator[None]:
    token = switch.set(True)
    try:
        yield
    finally:
        switch.reset(token)


def convolution(
    lhs: jax.Array,
    rhs: jax.Array,
    window_strides: Pair,
    padding: str | Padding,
    lhs_dilation: Pair | None = None,
    rhs_dilation: Pair | None = None,
    dimension_numbers: tuple[str, str, str] | lax.ConvDimensionNumbers | None = None,
    feature_group_count: int = 1,
    batch_group_count: int = 1,
    precision: Precision = None,
    preferred_element_type: DTypeLike | None = None,
) -> jax.Array:
    """`lax.conv_general_dilated` with values and input gradients that CPUs do fast.

    Guarantee: the values and derivatives (of any order, in both modes, in both
    arguments) of `lax.conv_general_dilated`, up to float32 rounding. Only
    two-dimensional float32 convolutions on CPUs are computed in another way;
    dilations, groups of a batch, other layouts and other types are passed on.

    lhs: [N, H, W, C]; rhs: [h, w, C / feature_group_count, K]; the others as of
    `lax.conv_general_dilated`.
    Returns [N, H', W', K].

    Example:
      flax.linen.Conv(64, (3, 3), conv_general_dilated=convolution)
    """
    plain = functools.partial(
        lax.conv_general_dilated,
        window_strides=window_strides,
        padding=padding,
        lhs_dilation=lhs_dilation,
        rhs_dilation=rhs_dilation,
        dimension_numbers=dimension_numbers,
        feature_group_count=feature_group_count,
        batch_group_count=batch_group_count,
        precision=precision,
        preferred_element_type=preferred_element_type,
    )
    factors = (*(lhs_dilation or ()), *(rhs_dilation or ()))
    ours = (
        lhs.ndim == 4
        and lhs.dtype == rhs.dtype == jnp.float32
        and set((*factors, batch_group_count)) == {1}
        and preferred_element_type in (None, jnp.float32)
        and lax.conv_dimension_numbers(lhs.shape, rhs.shape, dimension_numbers)
        == lax.conv_dimension_numbers(lhs.shape, rhs.shape, wide.LAYOUT)
    )
    out = jax.eval_shape(plain, lhs, rhs)  # complains exactly as lax does
    if not ours or 0 in (*lhs.shape, *rhs.shape, *out.shape):
        return plain(lhs, rhs)
    if isinstance(padding, str):
        padding = lax.padtype_to_pads(
            lhs.shape[1:3], rhs.shape[:2], window_strides, padding
        )
    # Read here: what a context sets is forgotten when the operation is compiled.
    precision = precision or getattr(jax.config, _PRECISION)
    return _convolve_p.bind(
        lhs,
        rhs,
        strides=tuple(map(int, window_strides)),
        padding=tuple((int(low), int(high)) for low, high in padding),
        size=lhs.shape[1:3],
        window=rhs.shape[:2],
        precision=lax.Precision(precision) if isinstance(precision, str) else precision,
        method=_method(),
        groups=feature_group_count,
        depthwise=grouped.is_depthwise(rhs, feature_group_count),
    )


def _method():
    """What a context asks for, "direct" before all; "best" without one."""
    if _direct.get():
        return "direct"
    return "library" if _library.get() else "best"


# The operations take (lhs, rhs), (cotangent, rhs) and (lhs, cotangent), and the static
# settings strides, padding, size (height and width of the convolution's input),
# window (of the kernel), precision, method (see above), groups (of channels) and
# depthwise (whether each channel is a group).
_convolve_p = Primitive("dense_convolution")
_adjoint_p = Primitive("dense_convolution_input_gradient")
_kernel_p = Primitive("dense_convolution_kernel_gradient")


def _convolve_plain(
    lhs, rhs, *, strides, padding, precision, method, groups, depthwise, **_
):
    if method == "direct":
        convolve = grouped.convolve if depthwise else convolve_directly
        window = dict(strides=strides, padding=padding, precision=precision)
        alone = functools.partial(convolve, **window)
        return grouped.one_by_one(alone, lhs, rhs, 1 if depthwise else groups)
    return lax.conv_general_dilated(
        lhs,
        rhs,
        strides,
        padding,
        dimension_numbers=wide.LAYOUT,
        feature_group_count=groups,
        precision=precision,
    )


def _adjoint_plain(cotangent, rhs, *, size, groups, **settings):
    shape = (cotangent.shape[0], *size, rhs.shape[2] * groups)
    lhs = jax.ShapeDtypeStruct(shape, cotangent.dtype)
    convolve = functools.partial(_convolve_plain, rhs=rhs, groups=groups, **settings)
    return jax.linear_transpose(convolve, lhs)(cotangent)[0]


def _kernel_plain(lhs, cotangent, *, window, groups, **settings):
    shape = (*window, lhs.shape[3] // groups, cotangent.shape[3])
    rhs = jax.ShapeDtypeStruct(shape, lhs.dtype)
    convolve = functools.partial(_convolve_plain, lhs, groups=groups, **settings)
    return jax.linear_transpose(convolve, rhs)(cotangent)[0]


def _convolve_on_cpu(lhs, rhs, *, strides, padding, size, precision, method, **_):
    if (
        method != "direct"
        and strides == (1, 1)
        and winograd.pays_off(lhs.shape[0], size, padding, rhs)
    ):
        return winograd.convolve(lhs, rhs, padding, precision)
    if method == "library":
        return _by_library(lhs, rhs, strides, padding, precision)
    return wide.convolve(lhs, rhs, strides, padding, precision)


def _adjoint_on_cpu(cotangent, rhs, *, strides, padding, size, precision, method, **_):
    # "direct" or not: a gradient is no place for a proof.
    images, *outputs, _ = cotangent.shape
    pads = adjoint_padding(padding, rhs.shape[:2], size, outputs)
    if strides == (1, 1) and winograd.pays_off(images, outputs, pads, rhs):
        return winograd.convolve_flipped(cotangent, rhs, pads, precision)
    convolve = _by_library if method == "library" else wide.convolve
    return adjoint(cotangent, rhs, strides, padding, size, precision, convolve=convolve)


def _kernel_on_cpu(lhs, cotangent, *, window, strides, padding, method, **settings):
    pixels = math.prod(cotangent.shape[:3])
    kernel = (*window, lhs.shape[3], cotangent.shape[3])
    if method == "library" and onednn.pays_off(pixels, kernel, padding):
        return onednn.kernel_gradient(lhs, cotangent, window, strides, padding)
    settings |= dict(window=window, strides=strides, padding=padding, method=method)
    settings |= dict(groups=1, depthwise=False)
    return _kernel_plain(lhs, cotangent, **settings)


def _by_library(lhs, rhs, strides, padding, precision):
    outputs = output_size(lhs.shape[1:3], rhs.shape[:2], strides, padding)
    pixels = len(lhs) * math.prod(outputs)
    if onednn.pays_off(pixels, rhs.shape, padding):
        return onednn.convolve(lhs, rhs, strides, padding)
    return wide.convolve(lhs, rhs, strides, padding, precision)


def _bilinear(primitive, solved_first, solved_second):
    """Transposition: which operation solves for either operand, in which order.

    An `ad.UndefinedPrimal` marks what is being solved for.
    """
    ad.defbilinear(
        primitive,
        lambda cotangent, _, second, **settings: solved_first(
            cotangent, second, **settings
        ),
        lambda cotangent, first, _, **settings: solved_second(
            first, cotangent, **settings
        ),
    )


def _flipped(primitive):
    return lambda first, second, **settings: primitive.bind(second, first, **settings)


_bilinear(_convolve_p, _adjoint_p.bind, _kernel_p.bind)
_bilinear(_adjoint_p, _convolve_p.bind, _flipped(_kernel_p))
_bilinear(_kernel_p, _flipped(_adjoint_p), _convolve_p.bind)


def _define(primitive, plain, dense_on_cpu, depthwise_on_cpu):
    """What else JAX asks of an operation: shapes, `vmap`, eager mode, compilation."""
    on_cpu = grouped.in_groups(dense_on_cpu, plain, depthwise_on_cpu)

    def batch(operands, axes, **settings):
        lhs, rhs = operands
        if axes[1] is not None or primitive is _kernel_p:  # a kernel each: rare
            mapped = jax.vmap(functools.partial(plain, **settings), in_axes=axes)
            return mapped(lhs, rhs), 0
        lhs = jnp.moveaxis(lhs, axes[0], 0)
        merged = jnp.reshape(lhs, (-1, *lhs.shape[2:]))
        out = primitive.bind(merged, rhs, **settings)
        return jnp.reshape(out, (*lhs.shape[:2], *out.shape[1:])), 0

    @functools.cache
    def compiled(**settings):
        return jax.jit(functools.partial(primitive.bind, **settings))

    def abstract(lhs, rhs, **settings):
        shapes = [jax.ShapeDtypeStruct(x.shape, x.dtype) for x in (lhs, rhs)]
        out = jax.eval_shape(functools.partial(plain, **settings), *shapes)
        return lhs.update(shape=out.shape)

    primitive.def_abstract_eval(abstract)
    primitive.def_impl(lambda lhs, rhs, **settings: compiled(**settings)(lhs, rhs))
    batching.primitive_batchers[primitive] = batch
    lower = functools.partial(mlir.lower_fun, multiple_results=False)
    mlir.register_lowering(primitive, lower(plain))
    mlir.register_lowering(primitive, lower(on_cpu), platform="cpu")


_define(_convolve_p, _convolve_plain, _convolve_on_cpu, grouped.convolve)
_define(_adjoint_p, _adjoint_plain, _adjoint_on_cpu, grouped.input_gradient)
_define(_kernel_p, _kernel_plain, _kernel_on_cpu, grouped.kernel_gradient)
