"""Milliseconds of a certificate against patches, and what part of them is the network.

    python -m benchmarks.patch

takes a network of random weights and an image with the spectrum of photographs, and
prints, for several sides of a patch: the time of a plain prediction, of Minority
Reports and of ScaleCert over the same windows, warm and in turns; the predictions that
each asks for; and how often as long as so many plain predictions it takes ("share": 1
is as long). Plain predictions are timed one by one, and in passes of --chunk as the
windows are. Random weights say nothing about accuracy, and little about how many
windows need not be asked. Five minutes on two cores.
"""

from launch import _platform

_platform.prepare()  # before JAX starts, as every main does

import functools  # noqa: E402
import math  # noqa: E402

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
from absl import app, flags, logging  # noqa: E402

from benchmarks import _measure  # noqa: E402
from mspd_jax import models, patch  # noqa: E402

FLAGS = flags.FLAGS
flags.DEFINE_string("arch", "resnet50", "a network, random weights")
flags.DEFINE_integer("size", 224, "side of the image", lower_bound=8)
flags.DEFINE_integer("classes", 1000, "number of classes", lower_bound=2)
flags.DEFINE_list("patches", ["1%", "2%", "3%"], "sides or shares of the patch")
flags.DEFINE_integer("windows", 6, "windows along an axis", lower_bound=1)
flags.DEFINE_list("keep", ["0.01", "0.05"], "shares of neurons that ScaleCert selects")
flags.DEFINE_string("cut", "stem", "layer behind which it selects them")
flags.DEFINE_integer("chunk", None, "predictions at once (1 on CPUs, else all windows)")
flags.DEFINE_float("seconds", 20.0, "time to spend on each pair")
flags.DEFINE_integer("seed", 0, "seed of weights and image")


def main(_):
    logging.set_verbosity(logging.WARNING)
    print(_measure.surroundings("jax", "jaxlib", "flax") + "\n")
    shape = (FLAGS.size, FLAGS.size, 3)
    mean, std = models.default_normalization(FLAGS.arch, 3)
    spec = models.ModelSpec(FLAGS.arch, {}, mean, std, FLAGS.classes, shape, {})
    model = models.create_model(jax.random.key(FLAGS.seed), spec)
    image = _photograph(shape, FLAGS.seed)
    predict, parts = models.predictor(model), models.split(model, FLAGS.cut)
    chunk = FLAGS.chunk or (1 if jax.default_backend() == "cpu" else FLAGS.windows**2)
    one = _program(lambda f, x: f(x), predict, image)
    several = _program(
        lambda f, x: jax.vmap(f)(x), predict, jnp.broadcast_to(image, (chunk, *shape))
    )
    print(
        f"{FLAGS.arch}, {shape[0]}x{shape[1]}, cut behind {FLAGS.cut}, {chunk} "
        "predictions at once. Medians, ms an image.\n"
    )
    print("| patch | method | predictions | ms | share, one by one | share, passes |")
    print("| --: | :-- | --: | --: | --: | --: |")
    for text in FLAGS.patches:
        side = patch.patch_side(text, shape)
        windows = patch.cover(shape, patch=side, per_axis=FLAGS.windows)
        for name, detector in _detectors(predict, parts, windows):
            detect = functools.partial(patch.detect, budget=min(chunk, windows.count))
            verdict = jax.jit(detect)(detector, image)
            asked = 1 + int(np.sum(verdict.computed))
            program = _program(detect, detector, image)
            single = _measure.time_pairs(program, one, seconds=FLAGS.seconds / 2)
            passes = _measure.time_pairs(program, several, seconds=FLAGS.seconds / 2)
            shares = 1 / (single.ratio * asked), chunk / (passes.ratio * asked)
            print(
                f"| {side} ({text}) | {name} | {asked} | "
                f"{1000 * single.first.median:.0f} | {shares[0]:.2f} | "
                f"{shares[1]:.2f} |",
                flush=True,
            )
    plain = _measure.time_pairs(one, several, seconds=FLAGS.seconds)
    print(
        f"\nA plain prediction: {1000 * plain.first.median:.1f} ms one by one, "
        f"{1000 * plain.second.median / chunk:.1f} ms in passes."
    )


def _detectors(predict, parts, windows):
    yield "Minority Reports", patch.minority_reports(predict, windows)
    for keep in map(float, FLAGS.keep):
        yield f"ScaleCert, k = {keep:g}", patch.scalecert(parts, windows, keep=keep)


def _program(function, *arguments):
    run = jax.jit(function)
    program = lambda: jax.block_until_ready(run(*arguments))  # noqa: E731
    program()
    return program


def _photograph(shape, seed):
    """Noise whose amplitude falls with the frequency, as that of photographs does."""
    rng = np.random.default_rng(seed)
    rows, cols = (np.fft.fftfreq(size) for size in shape[:2])
    frequency = np.hypot(rows[:, None], cols[None, :])
    frequency[0, 0] = 1 / math.hypot(*shape[:2])
    noise = np.fft.fft2(rng.normal(size=shape), axes=(0, 1)) / frequency[..., None]
    image = np.fft.ifft2(noise, axes=(0, 1)).real
    image = (image - image.mean()) / (4 * image.std()) + 0.5
    return jnp.asarray(np.clip(image, 0, 1), jnp.float32)


if __name__ == "__main__":
    app.run(main)
