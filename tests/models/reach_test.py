"""Receptive fields of functions against brute force, and what is refused."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from jax import lax

from mspd_jax import models
from mspd_jax.convolution import convolution
from mspd_jax.errors import InputError
from tests.models.brute_force import check_field

SHAPE = (15, 18, 2)


def kernel(size, inputs=2, outputs=2, seed=0):
    size = (size, size) if isinstance(size, int) else size
    rng = np.random.default_rng(seed)
    return jnp.asarray(rng.normal(size=(*size, inputs, outputs)), jnp.float32)


def conv(x, size, *, strides=1, padding=(0, 0), spread=1, outputs=2, seed=0):
    """[H, W, C] by `lax`; padding: before and after, along both axes."""
    out = lax.conv_general_dilated(
        x[None],
        kernel(size, x.shape[-1], outputs, seed),
        (strides, strides),
        (padding, padding),
        rhs_dilation=(spread, spread),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )
    return out[0]


def dense(x, size, *, strides=(1, 1), padding=((0, 0), (0, 0)), seed=0):
    """[H, W, C] by the convolution of the models."""
    return convolution(
        x[None],
        kernel(size, x.shape[-1], seed=seed),
        strides,
        padding,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )[0]


def residual(x):
    """Branches of other kernels: what both see is the union."""
    wide = jnp.tanh(conv(x, 5, padding=(2, 2)))
    low = conv(conv(x, 2, padding=(1, 0), seed=1), (1, 3), padding=(0, 0), seed=2)
    return wide[:, 1:-1] + low[:, :, :1]


def strided_shortcut(x):
    """Every second pixel, zero channels around, as in a CIFAR ResNet."""
    y = conv(x, 3, strides=2, padding=(1, 1), outputs=6)
    y = conv(nn.silu(y), 3, padding=(1, 1), outputs=6, seed=1)
    return y + jnp.pad(x[::2, ::2], ((0, 0), (0, 0), (2, 2)))


def cropped_shortcut(x):
    """Without padding, and with a shortcut that loses rows and columns, as BagNets."""
    y = conv(conv(x, 1), 3, strides=2, seed=1)
    return jax.nn.silu(y + conv(x, 1, strides=2, seed=2)[: y.shape[0], : y.shape[1]])


def pooled(x):
    x = nn.max_pool(conv(x, 3), (3, 2), strides=(2, 1), padding=((1, 1), (0, 1)))
    return lax.reduce_window(x, 0.0, lax.add, (2, 2, 1), (1, 1, 1), "VALID")


def normalized(x):
    """Statistics of each place over its channels alone."""
    centered = x - x.mean(axis=-1, keepdims=True)
    return conv(centered / jnp.sqrt((centered**2).mean(-1, keepdims=True) + 1), 3)


def rearranged(x):
    """Axes of 1, other orders, and back."""
    y = jnp.transpose(conv(x, 3)[None, :, None], (3, 1, 4, 0, 2))
    y = jnp.squeeze(jnp.transpose(y, (1, 0, 4, 3, 2)), axis=(2, 3))
    return y.reshape(*y.shape[:2], 1, 2).sum(axis=2)


def shifted(x):
    x = lax.pad(x, 0.0, ((2, -1, 0), (-3, 4, 0), (0, 0, 0)))
    return x[1:-2:3, 2::2]


def beside(x):
    """Maps of other kernels, one behind the other along the channels."""
    return jnp.concatenate([conv(x, 3, padding=(1, 1)), conv(x, 1)], axis=-1)


FUNCTIONS = {
    "pixels": lambda x: 2 * x,
    "convolution": lambda x: conv(x, 3, padding=(1, 1)),
    "even": lambda x: conv(x, 4, padding=(1, 2)),
    "unpadded": lambda x: conv(x, 5),
    "one_sided": lambda x: conv(x, 3, strides=2, padding=(0, 1)),
    "strided": lambda x: conv(x, 5, strides=3, padding=(2, 2)),
    "cropping": lambda x: conv(x, 3, padding=(-2, -1)),
    "rectangular": lambda x: dense(x, (3, 5), strides=(1, 2), padding=((2, 0), (1, 3))),
    "spread": lambda x: conv(x, 3, spread=3, padding=(2, 2)),
    "two": lambda x: conv(jnp.tanh(conv(x, 3, strides=2)), 3, strides=2, seed=1),
    "gaps": lambda x: conv(conv(x, 1, strides=3), 2),
    "compiled": lambda x: jax.jit(nn.relu)(jax.checkpoint(lambda y: conv(y, 3))(x)),
    "residual": residual,
    "strided_shortcut": strided_shortcut,
    "cropped_shortcut": cropped_shortcut,
    "pooled": pooled,
    "normalized": normalized,
    "rearranged": rearranged,
    "shifted": shifted,
    "beside": beside,
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_field_is_that_of_brute_force(name):
    check_field(FUNCTIONS[name], SHAPE)


def chain(seed):
    """Convolutions, pools, slices and shortcuts as they come."""
    rng = np.random.default_rng(seed)
    steps = []
    for step in range(3):
        size, before, after = rng.integers(1, 4), *rng.integers(-1, 3, size=2)
        kind = rng.integers(4)
        if kind == 0:
            strides = int(rng.integers(1, 3))
            padding = (int(before), int(after))
            steps.append(
                functools.partial(
                    conv, size=int(size), strides=strides, padding=padding, seed=step
                )
            )
        elif kind == 1:
            steps.append(functools.partial(nn.max_pool, window_shape=(int(size), 2)))
        elif kind == 2:
            start = abs(int(before))
            steps.append(lambda x, start=start: x[start:, : -1 - start])
        else:
            steps.append(
                lambda x, seed=step: (
                    x + conv(nn.silu(conv(x, 3, padding=(2, 0))), 1, seed=seed)
                )
            )
    return lambda x: functools.reduce(lambda y, step: step(y), steps, x)


@pytest.mark.parametrize("seed", range(6))
def test_field_of_a_random_chain(seed):
    check_field(chain(seed), SHAPE, everywhere=False)


def scanned(x):
    return lax.scan(lambda carry, _: (conv(carry, 3, padding=(1, 1)), None), x, None, 2)


def upsampled(x):
    out = lax.conv_general_dilated(
        x[None],
        kernel(3),
        (1, 1),
        ((0, 0),) * 2,
        lhs_dilation=(2, 2),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )
    return out[0]


def over_channels(x):
    numbers = ("NCHW", "HWIO", "NCHW")
    weights = jnp.ones((3, 3, 15, 2))
    return lax.conv_general_dilated(
        x[None], weights, (1, 1), "VALID", dimension_numbers=numbers
    )[0]


REFUSED = {
    "mean": (lambda x: conv(x, 3) - x.mean(axis=(0, 1), keepdims=True), "sums"),
    "mean_of_rows": (lambda x: x - x.mean(axis=0, keepdims=True), "sums"),
    "maximum": (lambda x: x / x.max(), "compares over all"),
    "dense": (lambda x: x.reshape(-1) @ jnp.ones((540, 3)), "reshape mixes"),
    "dense_rows": (lambda x: jnp.einsum("hwc,hk->kwc", x, jnp.ones((15, 2))), "dot"),
    "mixed": (lambda x: x.reshape(18, 15, 2), "reshape mixes"),
    "folded": (lambda x: x.reshape(5, 3, 18, 2), "reshape mixes"),
    "strides": (lambda x: conv(x, 1, strides=2)[:5, :5] + x[:5, :5], "strides meet"),
    "scan": (lambda x: scanned(x)[0], "scan"),
    "while": (lambda x: lax.while_loop(lambda y: y.sum() < 9, lambda y: 2 * y, x), "w"),
    "cond": (lambda x: lax.cond(jnp.bool_(1), jnp.sin, jnp.cos, x), "not known"),
    "sort": (lambda x: jnp.sort(x, axis=0), "sort"),
    "gather": (lambda x: x[jnp.asarray([3, 1, 2])], "gather"),
    "gather_by_value": (lambda x: jnp.ones(9)[jnp.int32(x)], "gather"),
    "flip": (lambda x: x[::-1], "rev"),
    "roll": (lambda x: jnp.roll(x, 1, axis=0), "concatenate"),
    "total": (lambda x: jnp.cumsum(x, axis=1), "cumsum"),
    "copied": (lambda x: jnp.broadcast_to(conv(x, (15, 18)), SHAPE), "one place"),
    "added": (lambda x: x + conv(x, (15, 18)), "one place|different places"),
    "transposed": (lambda x: jnp.swapaxes(x, 0, 1), "first two axes"),
    "joined": (
        lambda x: x[:15, :15] + jnp.swapaxes(x[:15, :15], 0, 1),
        "maps of different places",
    ),
    "upsampled": (upsampled, "gaps"),
    "interleaved": (lambda x: lax.pad(x, 0.0, ((0, 0, 1),) * 2 + ((0,) * 3,)), "gaps"),
    "two": (lambda x: lax.conv(x[None], x[None], (1, 1), "SAME")[0], "more than one"),
    "over_channels": (over_channels, "other axes"),
    "blind": (lambda x: jnp.ones((3, 3, 1)), "does not look"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_known_is_refused(name):
    function, reason = REFUSED[name]
    with pytest.raises(InputError, match=reason) as refusal:
        models.reach_of(function, SHAPE)
    assert "\n" not in str(refusal.value)
