"""How far float32 is from float64 in what certificates against patches rest on.

    python -m benchmarks.rounding
    XLA_FLAGS=--xla_cpu_max_isa=AVX2 python -m benchmarks.rounding
    XLA_FLAGS=--xla_cpu_max_isa=SSE4_2 python -m benchmarks.rounding
    python -m benchmarks.rounding --source=tfds:cifar10_subset:test --data_dir=DATA

takes the surrogate that ships and, without --source, digits four times as large; and
prints the largest errors over all images of the logits, in units of the largest logit
(of 1 at least), and of the values of the shallow map outside of any window, in units of
the largest value there; each for several sizes of a batch, beside what `patch.detect`
and ScaleCert allow for (LEAD / 4, NEAR / 4). The weights are the same numbers in both.
Half a minute on two cores.
"""

from launch import _platform

_platform.prepare()  # before JAX starts, as every main does

import os  # noqa: E402

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
from absl import app, flags, logging  # noqa: E402
from jax.tree_util import Partial  # noqa: E402

from benchmarks import _measure  # noqa: E402
from mspd_jax import data, models, patch  # noqa: E402
from mspd_jax.patch._detector import LEAD  # noqa: E402
from mspd_jax.patch._doubts import NEAR  # noqa: E402

FLAGS = flags.FLAGS
flags.DEFINE_string("source", None, "images; digits, enlarged, if not named")
flags.DEFINE_string("data_dir", None, "prepared TFDS data sets")
flags.DEFINE_string("model", "cifar10_resnet20_robust", "a checkpoint or a name")
flags.DEFINE_string("cut", "stem", "layer behind which ScaleCert selects neurons")
flags.DEFINE_integer("images", 64, "how many images", lower_bound=1)
flags.DEFINE_list("batches", ["1", "8", "32"], "images at once")
flags.DEFINE_integer("patch", 5, "side of the patch", lower_bound=1)
flags.DEFINE_integer("windows", 6, "windows along an axis", lower_bound=1)


def main(_):
    logging.set_verbosity(logging.WARNING)
    print(_measure.surroundings("jax", "jaxlib") + "\n")
    model = models.load_model(FLAGS.model)
    images = _images(model.spec.image_shape)
    parts = models.split(model, FLAGS.cut)
    programs = {"logits": models.predictor(model), "map": parts.shallow}
    exact = {
        # In parts: a predictor gives float32, whatever it computes in.
        "logits": _exactly(Partial(_whole, parts.shallow, parts.rest), images),
        "map": _exactly(parts.shallow, images),
    }
    print(
        f"{FLAGS.model}, {len(images)} images, XLA_FLAGS="
        f"{os.environ['XLA_FLAGS']}. Largest relative errors.\n"
    )
    print("| at once | logits | map |\n| --: | --: | --: |")
    for size in map(int, FLAGS.batches):
        found = {n: _computed(program, images, size) for n, program in programs.items()}
        logits = _logit_error(found["logits"], exact["logits"])
        places = _map_error(parts, found["map"], exact["map"])
        print(f"| {size} | {logits:.1e} | {places:.1e} |")
    print(f"| allowed | {LEAD / 4:.1e} | {NEAR / 4:.1e} |")


def _images(shape):
    """Images [N, H, W, C] of the network's shape."""
    spec = FLAGS.source or "digits:test"
    source = data.open_source(spec, data_dir=FLAGS.data_dir, limit=FLAGS.images)
    images = np.stack([source.read(i).image for i in range(len(source.indices))])
    if FLAGS.source is None:
        factor = shape[0] // images.shape[1]
        images = images.repeat(factor, axis=1).repeat(factor, axis=2)
        images = np.broadcast_to(images, (*images.shape[:3], shape[2]))
    if images.shape[1:] != tuple(shape):
        raise app.UsageError(f"images of {shape} wanted, not {images.shape[1:]}")
    return images.astype(np.float32)


def _whole(shallow, rest, image):
    return rest(shallow(image))


def _exactly(program, images):
    """What the program computes in float64, with the weights that it has."""
    with jax.enable_x64():

        def double(x):
            wide = jnp.issubdtype(x.dtype, jnp.floating)
            return x.astype(jnp.float64) if wide else x

        program = jax.tree.map(double, program)
        run = jax.jit(lambda f, x: jax.lax.map(f, x))
        found = jax.device_get(run(program, jnp.asarray(images, jnp.float64)))
    assert found.dtype == np.float64, found.dtype
    return found


def _computed(program, images, size):
    """The same in float32, `size` images at once; the last ones fill up a batch."""
    count = len(images)
    padded = np.concatenate([images, images[: -count % size]])
    run = jax.jit(lambda f, x: jax.vmap(f)(x))
    with jax.default_matmul_precision("float32"):  # as `detect` asks
        batches = [
            run(program, padded[start : start + size])
            for start in range(0, len(padded), size)
        ]
    return np.concatenate(jax.device_get(batches))[:count]


def _logit_error(found, exact):
    unit = np.maximum(np.abs(exact).max(axis=-1, keepdims=True), 1.0)
    return (np.abs(found - exact) / unit).max()


def _map_error(parts, found, exact):
    """Over all windows: the error outside, in units of the largest value outside."""
    shape = (*parts.image_size, 1)
    windows = patch.cover(shape, patch=FLAGS.patch, per_axis=FLAGS.windows)
    hidden = patch.hidden_by(windows, parts.reaches, parts.map_shape)
    worst = 0.0
    for number in range(windows.count):
        left = ~np.asarray(patch.hides(hidden, number))[None, :, :, None]
        error = np.where(left, np.abs(found - exact), 0.0).max(axis=(1, 2, 3))
        unit = np.where(left, np.abs(exact), 0.0).max(axis=(1, 2, 3))
        worst = max(worst, (error / unit).max())
    return worst


if __name__ == "__main__":
    app.run(main)
