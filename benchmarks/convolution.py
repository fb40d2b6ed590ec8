"""The convolution against lax's own, forward and input gradient, shape by shape.

    python -m benchmarks.convolution

prints a Markdown table of milliseconds per call for the convolutions of ResNet-20 and
PreAct ResNet-18 on 32x32 images, and the ratio lax / ours: above 1, ours is faster. The
input gradient runs inside `fori_loop`, where attacks have it. Two minutes on two CPU
cores.
"""

from launch import _platform

_platform.prepare()  # before JAX starts, as every main does

import functools  # noqa: E402

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
from absl import app, flags, logging  # noqa: E402
from jax import lax  # noqa: E402

from benchmarks import _measure  # noqa: E402
from mspd_jax.convolution import convolution  # noqa: E402

FLAGS = flags.FLAGS
flags.DEFINE_integer("batch", 20, "images per call", lower_bound=1)
flags.DEFINE_float("seconds", 1.5, "time to spend on each comparison")

_LOOP = 3  # gradients in one loop
# (image size, input channels, output channels, stride)
_SHAPES = (
    (32, 3, 16, 1),
    (32, 16, 16, 1),
    (32, 16, 32, 2),
    (16, 32, 32, 1),
    (16, 32, 64, 2),
    (8, 64, 64, 1),
    (32, 3, 64, 1),
    (32, 64, 64, 1),
    (32, 64, 128, 2),
    (16, 128, 128, 1),
    (16, 128, 256, 2),
    (8, 256, 256, 1),
    (8, 256, 512, 2),
    (4, 512, 512, 1),
)


def main(_):
    logging.set_verbosity(logging.WARNING)
    print(_measure.surroundings("jax", "jaxlib") + "\n")
    print(
        "| image, channels, stride | forward | lax | ratio | gradient | lax | ratio |"
    )
    print("|---|---|---|---|---|---|---|")
    for size, inputs, outputs, stride in _SHAPES:
        keys = jax.random.split(jax.random.key(0))
        x = jax.random.normal(keys[0], (FLAGS.batch, size, size, inputs))
        kernel = jax.random.normal(keys[1], (3, 3, inputs, outputs))
        cells = []
        for program, calls in ((_forward, 1), (_gradients, _LOOP)):
            ours, theirs = (
                _compiled(functools.partial(program, _at(stride, conv)), x, kernel)
                for conv in (convolution, lax.conv_general_dilated)
            )
            pairs = _measure.time_pairs(ours, theirs, seconds=FLAGS.seconds)
            cells += [1e3 * t.median / calls for t in (pairs.first, pairs.second)]
            cells.append(pairs.ratio)
        row = " | ".join(f"{cell:.2f}" for cell in cells)
        print(f"| {size}x{size}, {inputs} to {outputs}, {stride} | {row} |", flush=True)


def _at(stride, conv):
    pad = (1, 1) if stride == 1 else (0, 1)
    return functools.partial(
        conv,
        window_strides=(stride, stride),
        padding=(pad, pad),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )


def _forward(conv, x, kernel):
    return conv(x, kernel)


def _gradients(conv, x, kernel):
    """`_LOOP` input gradients, each at the place where the last one ended."""
    _, pullback = jax.vjp(lambda x: conv(x, kernel), x)
    out = jax.eval_shape(lambda x: conv(x, kernel), x)

    def step(_, x):
        (gradient,) = pullback(jnp.full(out.shape, x[0, 0, 0, 0]))
        return x + jnp.sign(gradient)

    return lax.fori_loop(0, _LOOP, step, x)


def _compiled(function, *arguments):
    compiled, _ = _measure.compile_seconds(jax.jit(function), *arguments)

    def run():
        return jax.block_until_ready(compiled(*arguments))

    run()
    return run


if __name__ == "__main__":
    app.run(main)
