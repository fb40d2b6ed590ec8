"""Values and derivatives of a convolution, beside those of `lax`."""

import functools

import jax
import numpy as np
from jax import lax
from jax import numpy as jnp

from mspd_jax.convolution import convolution

LAYOUT = ("NHWC", "HWIO", "NHWC")


def arrays_of(size, kernel, strides, padding, channels=(3, 4), images=2, **options):
    keys = jax.random.split(jax.random.key(0), 4)
    groups = options.get("feature_group_count", 1)
    lhs = jax.random.normal(keys[0], (images, *size, channels[0]))
    rhs = jax.random.normal(keys[1], (*kernel, channels[0] // groups, channels[1]))
    out = jax.eval_shape(
        lambda a, b: lax.conv_general_dilated(
            a, b, strides, padding, dimension_numbers=LAYOUT, **options
        ),
        lhs,
        rhs,
    )
    cotangent = jax.random.normal(keys[2], out.shape)
    tangent = jax.random.normal(keys[3], lhs.shape)
    return lhs, rhs, cotangent, tangent


def first_order(conv, lhs, rhs, cotangent, tangent):
    """Value, forward mode in either argument, and both gradients."""
    out, pullback = jax.vjp(conv, lhs, rhs)
    _, along_lhs = jax.jvp(lambda lhs: conv(lhs, rhs), (lhs,), (tangent,))
    _, along_rhs = jax.jvp(lambda rhs: conv(lhs, rhs), (rhs,), (jnp.sin(rhs),))
    return out, along_lhs, along_rhs, pullback(cotangent)


def reverse(conv, lhs, rhs, cotangent, tangent):
    """Value and both gradients."""
    out, pullback = jax.vjp(conv, lhs, rhs)
    return out, pullback(cotangent)


def second_order(conv, lhs, rhs, cotangent, tangent):
    """Forward over reverse and reverse over reverse of a curved function."""

    def gradients(lhs, rhs):
        def loss(lhs, rhs):
            return jnp.sum(cotangent * conv(lhs, rhs) ** 2)

        return jax.grad(loss, argnums=(0, 1))(lhs, rhs)

    def along_tangent(lhs, rhs):
        of_lhs, of_rhs = gradients(lhs, rhs)
        return jnp.vdot(of_lhs, tangent) + jnp.vdot(of_rhs, jnp.sin(rhs))

    forward = jax.jvp(lambda lhs: gradients(lhs, rhs), (lhs,), (tangent,))[1]
    return forward, jax.grad(along_tangent, argnums=(0, 1))(lhs, rhs)


def assert_same(derivatives, arrays, strides, padding, **options):
    settings = dict(
        window_strides=strides, padding=padding, dimension_numbers=LAYOUT, **options
    )

    @jax.jit
    def both(*arrays):
        convs = lax.conv_general_dilated, convolution
        return [derivatives(functools.partial(c, **settings), *arrays) for c in convs]

    want, got = both(*arrays)
    for one, other in zip(jax.tree.leaves(want), jax.tree.leaves(got), strict=True):
        scale = np.abs(one).max(initial=1.0)
        np.testing.assert_allclose(other / scale, one / scale, rtol=0, atol=3e-6)
