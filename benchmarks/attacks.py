"""Attacks on a ResNet-20: seconds of each, and three of them against PyTorch's best.

    python -m benchmarks.attacks

prints Markdown tables for linf, eps 8/255, 128 images of 32x32x3: first the ratios for
100 steps of PGD, 100 of Auto-PGD on the cross-entropy and 500 queries of Square, ours
and the same algorithm in PyTorch, in the fastest of several ways, on the same weights,
images and labels, warm and in turns in one run (above 1: ours is faster); then the time
to compile and to run each registered attack with its default options. Of the longest
only a part is run; the table says which, and what the whole would take. The ratios take
a quarter of an hour on two cores. `--comparisons=` or `--attacks=` (nothing after it)
leaves a table out.
"""

from launch import _platform

_platform.prepare()  # before JAX starts, as every main does

import functools  # noqa: E402
import time  # noqa: E402
from typing import NamedTuple  # noqa: E402

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
from absl import app, flags, logging  # noqa: E402

from benchmarks import _measure  # noqa: E402
from mspd_jax import attacks, data, drive, models  # noqa: E402

FLAGS = flags.FLAGS
flags.DEFINE_integer("images", 128, "images to attack", lower_bound=1)
flags.DEFINE_integer("block", None, "images in a program of ours, else as jobs take")
flags.DEFINE_string(
    "target", None, "a CIFAR ResNet as --target elsewhere; random weights if none"
)
flags.DEFINE_list("comparisons", ["pgd", "apgd-ce", "square"], "against PyTorch")
flags.DEFINE_list("attacks", ["all"], "attacks to time alone")
flags.DEFINE_float("seconds", 40.0, "time to spend on each comparison")
flags.DEFINE_integer("seed", 0, "seed of weights and images")
flags.DEFINE_bool("torch", True, "compare with PyTorch (the extra `torch`)")

_EPS = 8 / 255


class _Part(NamedTuple):
    """A part of a long attack: options, and which share of the work they stand for."""

    options: dict
    share: float


_COMPARED = {
    "pgd": {"steps": 100},
    "apgd-ce": {"steps": 100},
    "square": {"queries": 500},
}
_SHORT = {"pgd": {"steps": 4}, "apgd-ce": {"steps": 4}, "square": {"queries": 20}}
_LONG = {
    "apgd-t": _Part({"attempts": 1}, 1 / 9),
    "deepfool": _Part({"steps": 4}, 5 / 51),
    "fab": _Part({"steps": 9}, 10 / 101),
    "fab-t": _Part({"attempts": 1}, 1 / 9),
    "spsa": _Part({"steps": 1}, 1 / 100),
    "square": _Part({"queries": 500}, 1 / 10),
}


def main(_):
    logging.set_verbosity(logging.WARNING)
    print(_measure.surroundings("jax", "jaxlib", "flax", "torch") + "\n")
    model = _model()
    predict = models.predictor(model)
    images = np.random.default_rng(FLAGS.seed).uniform(size=(FLAGS.images, 32, 32, 3))
    images = images.astype(np.float32)
    logits = jax.jit(jax.vmap(predict))(images)
    labels = np.asarray(jnp.argmax(logits, axis=-1), np.int32)
    block = _block(predict)
    print(f"{FLAGS.images} images; ours: blocks of {block}, as the driver takes.\n")
    if FLAGS.comparisons:
        _print_comparisons(model, predict, images, labels)
    if FLAGS.attacks:
        _print_each(predict, images, labels)


def _model():
    if FLAGS.target:
        return models.load_model(FLAGS.target)
    mean, std = models.default_normalization("resnet20", 3)
    spec = models.ModelSpec("resnet20", {}, mean, std, 10, (32, 32, 3), {})
    return models.create_model(jax.random.key(FLAGS.seed), spec)


def _block(predict):
    """Images in a program."""
    weights = sum(leaf.size for leaf in jax.tree.leaves(predict))
    block = drive.images_per_block((32, 32, 3), weights=weights)
    return min(FLAGS.block or block, FLAGS.images)


def _ours(name, options, predict, images, labels):
    """Our program for all images, as jobs run it, and the time to compile it."""
    attack = attacks.resolve_attack(name, eps=_EPS, norm="linf", **options)
    block = _block(predict)

    def program(count=None):
        batches = drive.drive(
            jax.random.key(FLAGS.seed),
            predict,
            attack,
            data.from_arrays(images[:count], labels[:count]),
            block=block,
            batch_size=len(images),
        )
        done = [outcome for batch in batches for outcome in batch]
        done.sort(key=lambda outcome: outcome.record.index)
        return np.stack([outcome.result.image for outcome in done])

    times = []
    for _ in range(2):
        start = time.perf_counter()
        program(block)
        times.append(time.perf_counter() - start)
    return program, times[0] - times[1]


def _print_comparisons(model, predict, images, labels):
    rows = []
    for name in FLAGS.comparisons:
        options = _COMPARED[name]
        program, _ = _ours(name, options, predict, images, labels)
        fooled = f"{_fooled(program(), predict, labels):.1%}"
        if not FLAGS.torch:
            ours = _measure.time_alone(program, seconds=FLAGS.seconds)
            row = f"{_show(ours)} | | | | | {fooled} | "
        else:
            way, theirs = _fastest_pytorch(model, images, labels, name)
            share = theirs()
            pairs = _measure.time_pairs(program, theirs, seconds=FLAGS.seconds)
            row = (
                f"{_show(pairs.first)} | {_show(pairs.second)} | {way} | "
                f"{pairs.ratio:.2f} | {pairs.count} | {fooled} | {share:.1%}"
            )
        ((option, value),) = options.items()
        rows.append(f"| {name}, {value} {option} | {row} |")
    print("\nSeconds: median (shortest). Ratio: median over the pairs.\n")
    print(
        "| attack | ours | PyTorch | its best | ratio | pairs | fooled, ours | "
        "fooled, PyTorch |"
    )
    print("|---|---|---|---|---|---|---|---|")
    print("\n".join(rows) + "\n")


def _show(alone):
    return f"{alone.median:.2f} ({alone.shortest:.2f})"


def _fooled(x, predict, labels):
    prediction = jnp.argmax(jax.jit(jax.vmap(predict))(x), axis=-1)
    return float(np.mean(np.asarray(prediction) != labels))


def _fastest_pytorch(model, images, labels, name):
    """The fastest way to the same algorithm in PyTorch; it gives the share fooled."""
    import torch

    from benchmarks import _pytorch, _reference_attacks

    twins = {
        "pgd": _reference_attacks.pgd,
        "apgd-ce": _reference_attacks.apgd,
        "square": _reference_attacks.square,
    }

    network = _reference_attacks.networks(model)

    def make(way, options):
        predict, batches = network(way), way.batches(images, labels)

        def program():
            torch.manual_seed(FLAGS.seed)
            done = [
                twins[name](predict, x, y.long(), eps=_EPS, **options)[1]
                for x, y in batches
            ]
            return torch.cat(done).double().mean().item()

        return program

    sizes = sorted({min(32, FLAGS.images), FLAGS.images})
    short = functools.partial(make, options=_SHORT[name])
    way, _ = _pytorch.fastest(short, sizes=sizes)
    return way, make(way, _COMPARED[name])


def _print_each(predict, images, labels):
    known = {n for n, a in attacks.ATTACKS.items() if "linf" in a.norms}
    names = sorted(known) if FLAGS.attacks == ["all"] else FLAGS.attacks
    print("Each attack with its default options, in seconds.\n")
    print("| attack | compile | run | share of the attack | all of it |")
    print("|---|---|---|---|---|")
    for name in names:
        part = _LONG.get(name, _Part({}, 1.0))
        program, compile_time = _ours(name, part.options, predict, images, labels)
        program()
        seconds = _measure.time_alone(program, seconds=0, min_runs=1).median
        share = "1"
        if part.options:
            ((option, value),) = part.options.items()
            share = f"{part.share:.3g} ({option}={value})"
        print(
            f"| {name} | {compile_time:.1f} | {seconds:.2f} | {share} | "
            f"{seconds / part.share:.1f} |",
            flush=True,
        )
    print()


if __name__ == "__main__":
    app.run(main)
