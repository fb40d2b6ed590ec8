"""Attacks on a ResNet-20: seconds of each, and three of them against eager PyTorch.

    python -m benchmarks.attacks

prints Markdown tables for linf, eps 8/255, 128 images of 32x32x3: first the ratios for
100 steps of PGD, 100 of Auto-PGD on the cross-entropy and 500 queries of Square, ours
and the same algorithm in eager PyTorch on the same weights, images and labels, warm and
in turns in one run (above 1: ours is faster); then the time to compile and to run each
registered attack with its default options. Of the longest only a part is run; the table
says which, and what the whole would take. The ratios take eight minutes on two cores.
`--comparisons=` or `--attacks=` (nothing after it) leaves a table out.
"""

from launch import _platform

_platform.prepare()  # before JAX starts, as every main does

import functools  # noqa: E402
import os  # noqa: E402
import time  # noqa: E402
from typing import NamedTuple  # noqa: E402

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
from absl import app, flags, logging  # noqa: E402

from benchmarks import _measure  # noqa: E402
from mspd_jax import attacks, drive, models  # noqa: E402

FLAGS = flags.FLAGS
flags.DEFINE_integer("images", 128, "images to attack", lower_bound=1)
flags.DEFINE_integer(
    "batch", None, "images per device that ours works on at once (32 on CPUs, else all)"
)
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
    logits = np.asarray(jax.jit(jax.vmap(predict))(images))
    labels = np.argmax(logits, axis=-1).astype(np.int32)
    count = jax.local_device_count()
    print(
        f"{FLAGS.images} images; ours: {_batch()} at once on each of {count} devices.\n"
    )
    if FLAGS.comparisons:
        _print_comparisons(model, predict, images, labels, logits)
    if FLAGS.attacks:
        _print_each(predict, images, labels)


def _model():
    if FLAGS.target:
        return models.load_model(FLAGS.target)
    mean, std = models.default_normalization("resnet20", 3)
    spec = models.ModelSpec("resnet20", {}, mean, std, 10, (32, 32, 3), {})
    return models.create_model(jax.random.key(FLAGS.seed), spec)


def _batch():
    """Images per device."""
    share = -(-FLAGS.images // jax.local_device_count())
    if FLAGS.batch:
        return min(FLAGS.batch, share)
    return min(32, share) if jax.default_backend() == "cpu" else share


def _ours(name, options, predict, images, labels):
    """Our program for all images, as the driver runs it, and the time to compile it."""
    attack = attacks.resolve_attack(name, eps=_EPS, norm="linf", **options)
    devices = jax.local_devices()
    size = _batch() * len(devices)
    # The last batch is filled up, as by the driver, and counts in full.
    rows = np.arange(-(-len(images) // size) * size) % len(images)
    batches = [
        (part.astype(np.uint32), images[part], labels[part])
        for part in np.split(rows, len(rows) // size)
    ]
    run = functools.partial(
        drive.run_on_devices, jax.random.key(FLAGS.seed), predict, attack
    )

    def program():
        done = [run(*batch, devices=devices) for batch in batches]
        return jax.block_until_ready(done)

    times = []
    for _ in range(2):
        start = time.perf_counter()
        jax.block_until_ready(run(*batches[0], devices=devices))
        times.append(time.perf_counter() - start)
    return program, times[0] - times[1]


def _print_comparisons(model, predict, images, labels, logits):
    reference = _references(model, images, labels, logits) if FLAGS.torch else None
    print("Seconds: median (shortest). Ratio: median over the pairs.\n")
    print(
        "| attack | ours | PyTorch | ratio | pairs | fooled, ours | fooled, PyTorch |"
    )
    print("|---|---|---|---|---|---|---|")
    for name in FLAGS.comparisons:
        options = _COMPARED[name]
        program, _ = _ours(name, options, predict, images, labels)
        fooled = [_fooled(program(), predict, labels)]
        if reference is None:
            ours = _measure.time_alone(program, seconds=FLAGS.seconds)
            row = f"{_show(ours)} | | | | {fooled[0]:.1%} | "
        else:
            theirs = reference(name, options)
            fooled.append(theirs())
            pairs = _measure.time_pairs(program, theirs, seconds=FLAGS.seconds)
            row = (
                f"{_show(pairs.first)} | {_show(pairs.second)} | {pairs.ratio:.2f} | "
                f"{pairs.count} | {fooled[0]:.1%} | {fooled[1]:.1%}"
            )
        ((option, value),) = options.items()
        print(f"| {name}, {value} {option} | {row} |", flush=True)
    print()


def _show(alone):
    return f"{alone.median:.2f} ({alone.shortest:.2f})"


def _fooled(proposals, predict, labels):
    x = jnp.concatenate([proposal.image for proposal in proposals])[: len(labels)]
    prediction = jnp.argmax(jax.jit(jax.vmap(predict))(x), axis=-1)
    return float(np.mean(np.asarray(prediction) != labels))


def _references(model, images, labels, logits):
    """The same algorithms in PyTorch, at their best; None where it has no such device.

    Returns (name, options) -> a program that returns the share of images fooled. On a
    CPU, number of threads and images per pass are those with the fastest gradients.
    """
    import torch

    from benchmarks import _reference, _reference_attacks

    device = "cpu" if jax.default_backend() == "cpu" else "cuda"
    if device == "cuda" and not torch.cuda.is_available():
        print("PyTorch sees no GPU: no comparison.\n")
        return None
    network = _reference_attacks.TorchResNet(model).eval().to(device)
    x = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous().to(device)
    y = torch.from_numpy(labels).long().to(device)
    with torch.no_grad():
        gap = np.abs(network(x).cpu().numpy() - logits).max() / np.abs(logits).max()
    if gap > 1e-4:
        raise RuntimeError(
            f"the two networks differ: logits by {gap:.1e} of the largest"
        )
    print(f"Same weights, same logits, within {gap:.0e} of the largest.")
    twins = {
        "pgd": _reference_attacks.pgd,
        "apgd-ce": _reference_attacks.apgd,
        "square": _reference_attacks.square,
    }

    def gradients(size):
        for part in zip(x.split(size), y.split(size), strict=True):
            _reference.input_gradient(network, *part)

    size = FLAGS.images
    if device == "cpu":
        trials = {}
        cores = os.cpu_count()
        for threads in sorted({1, max(1, cores // 2), cores}):
            torch.set_num_threads(threads)
            for images_at_once in sorted({_batch(), FLAGS.images}):
                program = functools.partial(gradients, images_at_once)
                program()
                # The shortest: what it can do where nothing else runs.
                shortest = _measure.time_alone(program, seconds=3).shortest
                trials[threads, images_at_once] = shortest
        threads, size = min(trials, key=trials.get)
        torch.set_num_threads(threads)
        print(
            f"PyTorch runs on {threads} of {cores} cores, {size} images at once, its "
            "best."
        )
    print()

    def reference(name, options):
        def program():
            torch.manual_seed(FLAGS.seed)
            done = [
                twins[name](network, *part, eps=_EPS, **options)[1]
                for part in zip(x.split(size), y.split(size), strict=True)
            ]
            return torch.cat(done).double().mean().item()  # waits for the device

        return program

    return reference


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
