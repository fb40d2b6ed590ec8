"""Images per second of training a ResNet-20, against PyTorch at its best in one run.

    python -m benchmarks.training

prints, for plain training and for adversarial training with two steps of PGD, the
milliseconds of a step of ours (augmentation, attack, gradient, update; all devices
share the batch), of ours without oneDNN, and of PyTorch: eager and compiled, in both
layouts of memory, the best of them named. Same weights, warm, in turns; PyTorch's
images are augmented beforehand, which costs it nothing. Ratio: above 1, ours is faster.
Some minutes on two cores, most of which PyTorch compiles.
"""

from launch import _platform

_platform.prepare()  # before JAX starts, as every main does

import contextlib  # noqa: E402
import functools  # noqa: E402
from unittest import mock  # noqa: E402

import jax  # noqa: E402
import numpy as np  # noqa: E402
from absl import app, flags, logging  # noqa: E402

from benchmarks import _measure  # noqa: E402
from mspd_jax import drive, models, train  # noqa: E402
from mspd_jax.convolution import _onednn as onednn  # noqa: E402
from mspd_jax.train import _replicas as replicas  # noqa: E402
from mspd_jax.train._step import Batch, example_keys, initial_state  # noqa: E402

FLAGS = flags.FLAGS
flags.DEFINE_integer("batch", 128, "images of a step", lower_bound=1)
flags.DEFINE_string("arch", "resnet20", "a CIFAR ResNet, random weights")
flags.DEFINE_float("seconds", 15.0, "time to spend on each comparison")
flags.DEFINE_integer("seed", 0, "seed of weights and images")

_EPS = 8 / 255
_KINDS = {
    "plain": (train.objective("none"), 0),
    "PGD-2": (train.objective("pgd", eps=_EPS, steps=2, step_size=0.75 * _EPS), 2),
}


def main(_):
    logging.set_verbosity(logging.WARNING)
    print(_measure.surroundings("jax", "jaxlib", "flax", "torch") + "\n")
    mean, std = models.default_normalization(FLAGS.arch, 3)
    spec = models.ModelSpec(FLAGS.arch, {}, mean, std, 10, (32, 32, 3), {})
    model = models.create_model(jax.random.key(FLAGS.seed), spec)
    rng = np.random.default_rng(FLAGS.seed)
    images = rng.integers(0, 256, (FLAGS.batch, 32, 32, 3), dtype=np.uint8)
    labels = rng.integers(0, 10, FLAGS.batch, dtype=np.int32)
    print(f"{FLAGS.arch}, batches of {FLAGS.batch}, {jax.device_count()} devices.\n")
    print("| training | against | ours, ms | theirs, ms | ratio | ours, images/s |")
    print("|---|---|---|---|---|---|")
    for name, (objective, attack_steps) in _KINDS.items():
        ours = _ours(model, images, labels, objective)
        ours()
        best, theirs = _fastest_pytorch(model, images, labels, attack_steps)
        for against, program in (
            ("ours without oneDNN", _ours(model, images, labels, objective, False)),
            (f"PyTorch, {best}", theirs),
        ):
            program()
            pairs = _measure.time_pairs(ours, program, seconds=FLAGS.seconds)
            first, second = (1e3 * alone.median for alone in pairs[:2])
            print(
                f"| {name} | {against} | {first:.0f} | {second:.0f} | "
                f"{pairs.ratio:.2f} | {FLAGS.batch / pairs.first.median:.0f} |",
                flush=True,
            )


def _ours(model, images, labels, objective, library=True):
    """One step of ours as a program that waits for its result."""
    devices = jax.devices()
    optimizer = train.optimizer("sgd", learning_rate=0.1)
    keys = example_keys(
        jax.random.key(FLAGS.seed), np.uint32(0), np.arange(FLAGS.batch)
    )
    batch = drive.place_shares(Batch(keys, images, labels), devices)
    held = [drive.place_copies(initial_state(model, optimizer), devices)]
    augment = train.augmentation(pad=4, flip=True)
    constant = np.int32(1000), objective, augment, replicas.optimizer_pytree(optimizer)
    replicas._compiled.cache_clear()
    run = replicas.compiled_step(model.spec, ema=None, devices=devices)

    def program():
        context = contextlib.nullcontext()
        if not library:  # the first call compiles
            context = mock.patch.object(onednn, "available", lambda: False)
        with context:
            state, _ = run(held.pop(), batch, *constant)
        held.append(jax.block_until_ready(state))

    return program


def _fastest_pytorch(model, images, labels, attack_steps):
    """The name and the program of the fastest way that PyTorch offers here."""
    from benchmarks import _pytorch, _reference_training

    step = functools.partial(
        _reference_training.step,
        model=model,
        images=images.astype(np.float32) / 255,
        labels=labels,
        attack_steps=attack_steps,
    )
    return _pytorch.fastest(step, sizes=(FLAGS.batch,))


if __name__ == "__main__":
    app.run(main)
