"""Receptive fields against brute force: pixels are changed, and outputs compared.

Bits are compared: a field is too small if any output outside of it changes at all.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from jax import lax

from mspd_jax import models
from mspd_jax.convolution._convolution import convolution
from mspd_jax.errors import InputError

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
}


def changes(function, shape):
    """Whether a pixel changes an output place: bool [H, W, h, w].

    Each pixel is changed in three ways, upwards, since a maximum hides what is below.
    """
    height, width, _ = shape
    rng = np.random.default_rng(0)
    image = rng.random(shape, np.float32)
    seen = None
    # One at a time: in a batch, rounding may depend on the place of an image.
    run = jax.jit(functools.partial(lax.map, function))
    for scale in (1.0, 1.0, 30.0):
        other = np.tile(image, (height * width, 1, 1, 1))
        row, col = np.divmod(np.arange(height * width), width)
        other[np.arange(height * width), row, col] += scale * rng.random(
            (height * width, shape[-1]), np.float32
        )
        outs = np.asarray(run(np.concatenate([image[None], other])))
        changed = (outs[1:] != outs[:1]).any(axis=tuple(range(3, outs.ndim)))
        seen = changed if seen is None else seen | changed
    return seen.reshape(height, width, *seen.shape[1:])


def check_field(function, shape, *, everywhere=True):
    """The field that is found is never too small, and inside of the image exact.

    everywhere: at all places inside, not only at some: what is cropped inside of the
    function, and padded again, is not read by the places beside it.
    """
    seen = changes(function, shape)
    reaches = models.reach_of(function, shape)
    outputs = jax.eval_shape(function, jax.ShapeDtypeStruct(shape, jnp.float32)).shape
    assert seen.shape[2:] == outputs[:2]
    for reach, table in zip(
        reaches, (seen.any(axis=(1, 3)), seen.any(axis=(0, 2))), strict=True
    ):
        exact = 0
        for place, column in enumerate(table.T):
            first, last = reach.stride * place + reach.low, reach.stride * place
            last += reach.high
            read = np.flatnonzero(column)
            assert all(first <= pixel <= last for pixel in read), (reach, place, read)
            inside = 0 <= first and last < len(column)
            fills = inside and tuple(read[[0, -1]]) == (first, last)
            assert fills or not (inside and everywhere), (reach, place, read)
            exact += fills
        assert exact > 0


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


def spec(architecture, shape, **options):
    return models.ModelSpec(
        architecture=architecture,
        options=options,
        mean=(0.5,) * shape[-1],
        std=(0.25,) * shape[-1],
        num_classes=4,
        image_shape=shape,
        origin={},
    )


def network(of):
    """Normal weights, drawn without compiling anything."""
    shapes = jax.eval_shape(
        lambda key: models.create_model(key, of).variables, jax.random.key(0)
    )
    rng = np.random.default_rng(0)
    draw = jax.tree.map(lambda x: rng.normal(size=x.shape).astype(np.float32), shapes)
    if "batch_stats" in draw:
        draw["batch_stats"] = jax.tree.map(np.abs, draw["batch_stats"])
    return models.Model(of, draw)


SMALL_BAGNET = dict(width=2, blocks=[1, 1, 1, 1], strides=[2, 1, 1, 1])


@pytest.mark.parametrize(
    "architecture, shape, options, cut, size",
    [
        ("small_cnn", (12, 14, 1), {"widths": [2, 3, 2]}, "layer2", 9),
        ("resnet20", (14, 12, 3), {}, "stage0_block1", 11),
        ("bagnet9", (14, 15, 3), SMALL_BAGNET, "stage3_block0", 9),
    ],
)
def test_field_of_a_network(architecture, shape, options, cut, size):
    """size: pixels a side, as the layers of the paper have it."""
    parts = models.split(network(spec(architecture, shape, **options)), cut)
    check_field(parts.shallow, shape)
    assert [reach.high - reach.low + 1 for reach in parts.reaches] == [size, size]


@pytest.mark.parametrize("patch", [9, 17, 33])
def test_a_bagnet_sees_the_patches_of_its_name(patch):
    """Eight pixels apart, as Brendel and Bethge (2019) say of all three."""
    small = spec(f"bagnet{patch}", (64, 64, 3), width=1, blocks=[1, 1, 1, 1])
    reaches = models.split(network(small), "stage3_block0").reaches
    assert reaches == (models.Reach(8, 0, patch - 1),) * 2


def scanned(x):
    return lax.scan(lambda carry, _: (conv(carry, 3, padding=(1, 1)), None), x, None, 2)


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
    "cond": (lambda x: lax.cond(jnp.bool_(1), jnp.sin, jnp.cos, x), "told"),
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
    "upsampled": (
        lambda x: lax.conv_general_dilated(
            x[None], kernel(3), (1, 1), ((0, 0),) * 2, lhs_dilation=(2, 2),
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )[0],
        "gaps",
    ),
    "interleaved": (lambda x: lax.pad(x, 0.0, ((0, 0, 1),) * 2 + ((0,) * 3,)), "gaps"),
    "two": (lambda x: lax.conv(x[None], x[None], (1, 1), "SAME")[0], "more than one"),
    "over_channels": (
        lambda x: lax.conv_general_dilated(
            x[None], jnp.ones((3, 3, 15, 2)), (1, 1), "VALID",
            dimension_numbers=("NCHW", "HWIO", "NCHW"),
        )[0],
        "other axes",
    ),
    "blind": (lambda x: jnp.ones((3, 3, 1)), "does not look"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_told_is_refused(name):
    function, reason = REFUSED[name]
    with pytest.raises(InputError, match=reason) as refusal:
        models.reach_of(function, SHAPE)
    assert "\n" not in str(refusal.value)
