"""Certificates per second of a smoothed ResNet-20, against PyTorch in one run.

    python -m benchmarks.smoothing

prints, for n0 = 100 and n = 10,000 on 32x32x3, the seconds of a certificate by ours
(votes counted on the devices, which share out the samples of an image; bound on the
host) and by the published procedure in PyTorch at its best (batches of noise, labels
moved to the host and counted there; eager and compiled, in both layouts, the fastest
batch and number of threads), same weights, warm, in turns; above 1, ours is faster.
Every sample is drawn by both: no early stopping. Then, for ours alone, where the time
goes. Five minutes on two cores.
"""

from launch import _platform

_platform.prepare()  # before JAX starts, as every main does

import functools  # noqa: E402

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
from absl import app, flags, logging  # noqa: E402
from jax.tree_util import Partial  # noqa: E402

from benchmarks import _measure  # noqa: E402
from mspd_jax import drive, models, smoothing  # noqa: E402
from mspd_jax.smoothing._noise import noise_at  # noqa: E402

FLAGS = flags.FLAGS
flags.DEFINE_integer("samples", 10_000, "samples of a certificate", lower_bound=1)
flags.DEFINE_integer("selection", 100, "samples that choose the class", lower_bound=1)
flags.DEFINE_integer(
    "chunk", None, "samples that ours works on at once (40 on CPUs, else 1,000)"
)
flags.DEFINE_string("arch", "resnet20", "a CIFAR ResNet, random weights")
flags.DEFINE_list("batches", ["64", "256"], "batches PyTorch may use")
flags.DEFINE_float("seconds", 60.0, "time to spend on the comparison")
flags.DEFINE_integer("seed", 0, "seed of weights, image and noise")
flags.DEFINE_bool("torch", True, "compare with PyTorch (the extra `torch`)")

_SIGMA, _ALPHA, _AXIS = 0.25, 0.001, "samples"
_TRIAL = 1024  # samples that tell which way of PyTorch is the fastest


def main(_):
    logging.set_verbosity(logging.WARNING)
    print(_measure.surroundings("jax", "jaxlib", "flax", "torch") + "\n")
    mean, std = models.default_normalization(FLAGS.arch, 3)
    spec = models.ModelSpec(FLAGS.arch, {}, mean, std, 10, (32, 32, 3), {})
    model = models.create_model(jax.random.key(FLAGS.seed), spec)
    image = np.random.default_rng(FLAGS.seed).uniform(size=(32, 32, 3))
    image = image.astype(np.float32)
    predict = models.predictor(model)
    program = _ours(predict, image)
    radius = program().radius
    print(
        f"{FLAGS.arch}, n = {FLAGS.samples:,}, {_chunk()} samples at once on each of "
        f"{jax.local_device_count()} devices; radius {radius:.3f}.\n"
    )
    reference = _reference(model, image) if FLAGS.torch else None
    if reference is None:
        ours = _measure.time_alone(program, seconds=FLAGS.seconds)
        print(f"Ours alone: {ours.median:.2f} s a certificate.")
    else:
        reference()
        pairs = _measure.time_pairs(program, reference, seconds=FLAGS.seconds)
        print(
            "Seconds of a certificate: median (shortest). Ratio: median over pairs.\n"
        )
        print("| ours | PyTorch | ratio | pairs | ours, certificates per second |")
        print("|---|---|---|---|---|")
        first, second = pairs.first, pairs.second
        print(
            f"| {first.median:.2f} ({first.shortest:.2f}) | {second.median:.2f} "
            f"({second.shortest:.2f}) | {pairs.ratio:.2f} | {pairs.count} | "
            f"{1 / first.median:.3f} |\n"
        )
    _print_parts(predict, image)


def _chunk() -> int:
    return FLAGS.chunk or (40 if jax.default_backend() == "cpu" else 1000)


def _ours(predict, image):
    """One certificate, as launch.certify makes it."""
    plan = smoothing.stopping_plan(
        selection=FLAGS.selection,
        estimation=FLAGS.samples,
        sigma=_SIGMA,
        alpha=_ALPHA,
        rounds=1,
    )
    method = Partial(
        functools.partial(smoothing.smoothed_votes, chunk=_chunk(), axis_name=_AXIS),
        sigma=jnp.float32(_SIGMA),
        plan=jax.tree.map(jnp.asarray, plan),
    )

    def program():
        votes = drive.run_on_devices(
            jax.random.key(FLAGS.seed),
            predict,
            method,
            np.zeros(1, np.uint32),
            image[None],
            np.zeros(1, np.int32),
            devices=jax.local_devices(),
            axis_name=_AXIS,
        )
        votes = jax.tree.map(lambda x: x[0], jax.device_get(votes))
        return smoothing.certify_votes(
            votes.selection,
            votes.estimation,
            num_samples=FLAGS.samples,
            sigma=_SIGMA,
            alpha=_ALPHA,
        )

    program()
    return program


def _reference(model, image):
    """The published procedure at its best; None where PyTorch has no such device."""
    from benchmarks import _pytorch, _reference_attacks, _reference_smoothing

    if jax.default_backend() != "cpu" and _pytorch.DEVICE == "cpu":
        print("PyTorch sees no GPU: no comparison.\n")
        return None

    network = _reference_attacks.networks(model)

    def make(way, samples=_TRIAL):
        predict, ((x,),) = network(way), way.batches(image[None])
        options = {"sigma": _SIGMA, "classes": 10, "batch": way.images}
        count = functools.partial(
            _reference_smoothing.count_votes, predict, x[0], **options
        )
        return lambda: count(num_samples=samples)

    way, _ = _pytorch.fastest(make, sizes=tuple(map(int, FLAGS.batches)))
    print(f"\nPyTorch at its best: {way}.\n")
    choose, estimate = make(way, FLAGS.selection), make(way, FLAGS.samples)

    def program():
        votes = choose(), estimate()
        return smoothing.certify_votes(
            *votes, num_samples=FLAGS.samples, sigma=_SIGMA, alpha=_ALPHA
        )

    return program


def _print_parts(predict, image):
    """Noise alone and the network alone, on one device, for a chunk of samples."""
    numbers = jnp.arange(_chunk())
    key = jax.random.key(FLAGS.seed)
    noise = jax.jit(lambda: noise_at(key, numbers, image.shape))
    images = image[None] + _SIGMA * np.asarray(noise())
    network = jax.jit(jax.vmap(predict))
    print(f"One device, {_chunk()} samples, milliseconds (shortest):\n")
    for name, program in (("noise", noise), ("network", lambda: network(images))):
        waiting = functools.partial(_wait, program)
        waiting()
        shortest = _measure.time_alone(waiting, seconds=3).shortest
        print(f"- {name}: {1e3 * shortest:.2f}")


def _wait(program):
    return jax.block_until_ready(program())


if __name__ == "__main__":
    app.run(main)
