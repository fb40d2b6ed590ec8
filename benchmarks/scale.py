"""What the driver and the output cost: `protect` against the bare compiled function.

    python -m benchmarks.scale

prints Markdown tables of images per second, for 1, 2, 4 and 8 virtual devices:

- MSPD on a ResNet-20 with random weights, 32x32: the compiled function alone, called on
  blocks that lie in memory by as many threads as there are devices, beside the whole
  job, which reads, rounds, writes and measures, to PNG and to ArrayRecord. In turns in
  one process. `overhead` is the share of the job's time that the function alone does
  not need.
- the same job around a method that computes nothing: what the way itself carries.

Ten minutes on two CPU cores. Files go to a temporary folder, whose disk counts.
"""

from launch import _platform

_platform.prepare()  # before JAX starts, as every main does

import dataclasses  # noqa: E402
import os  # noqa: E402
import pathlib  # noqa: E402
import statistics  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402

import jax  # noqa: E402
import numpy as np  # noqa: E402
from absl import app, flags, logging  # noqa: E402
from jax.tree_util import Partial  # noqa: E402

from benchmarks import _measure  # noqa: E402
from benchmarks._alone import alone_rate  # noqa: E402
from mspd_jax import data, jobs, models, preempt  # noqa: E402
from mspd_jax.jobs._work import run_work  # noqa: E402

FLAGS = flags.FLAGS
flags.DEFINE_list("devices", ["1", "2", "4", "8"], "numbers of virtual devices")
flags.DEFINE_integer("images", 256, "images that MSPD protects in a turn")
flags.DEFINE_integer("samples", 4, "noise draws per epoch of MSPD (N)")
flags.DEFINE_integer("block", 8, "images that a program computes at once")
flags.DEFINE_integer("nothing", 20_000, "images of a turn in which nothing is computed")
flags.DEFINE_integer("nothing_block", 256, "images that a program hands through")
flags.DEFINE_integer("turns", 3, "turns; figures are medians over them")
flags.DEFINE_integer("seed", 0, "seed of weights, images and noise")
flags.DEFINE_integer("inside", 0, "internal: measure with so many devices here")

_FORMATS = ("png", "arrayrecord")


def main(_):
    logging.set_verbosity(logging.WARNING)
    if FLAGS.inside:
        print(_rows(FLAGS.inside))
        return
    print(_measure.surroundings("jax", "jaxlib", "pillow", "array_record"))
    columns = ["devices", f"ms of a block of {FLAGS.block}", "alone, images/s"]
    for form in _FORMATS:
        columns += [form, "overhead"]
    columns += [f"nothing computed: {form}" for form in _FORMATS]
    print(f"\n| {' | '.join(columns)} |\n|{'--:|' * len(columns)}", flush=True)
    for count in FLAGS.devices:
        options = f"--xla_force_host_platform_device_count={count}"
        command = [sys.executable, "-m", "benchmarks.scale", *sys.argv[1:]]
        subprocess.run(
            [*command, f"--inside={count}"],
            env=os.environ | {"XLA_FLAGS": options},
            check=True,
        )


def _rows(devices: int) -> str:
    with tempfile.TemporaryDirectory() as folder:
        turns = [
            _turn(FLAGS.images, FLAGS.block, pathlib.Path(folder, f"turn{i}"))
            for i in range(FLAGS.turns + 1)
        ]
        through = [
            _nothing(
                FLAGS.nothing, FLAGS.nothing_block, pathlib.Path(folder, f"nothing{i}")
            )
            for i in range(FLAGS.turns)
        ]
    alone, *ours = _medians(turns[1:])  # the first compiles
    cells = [
        f"{devices}",
        f"{1000 * FLAGS.block * devices / alone:.0f}",
        f"{alone:.1f}",
    ]
    for rate in ours:
        cells += [f"{rate:.1f}", f"{1 - rate / alone:.1%}"]
    cells += [f"{rate:.0f}" for rate in _medians(through)]
    return f"| {' | '.join(cells)} |"


def _medians(rows: list[tuple[float, ...]]) -> list[float]:
    return [statistics.median(column) for column in zip(*rows, strict=True)]


def _turn(count: int, block: int, folder: pathlib.Path) -> tuple[float, ...]:
    """Images per second of the function alone, and of the job in each format."""
    job, machine = _job(count), _machine(block)
    images, labels = data.load_arrays(job.source)
    return alone_rate(job, machine, images, labels), *(
        _timed(job, machine, lambda work: work, form, folder / form)
        for form in _FORMATS
    )


def _nothing(count: int, block: int, folder: pathlib.Path) -> tuple[float, ...]:
    job, machine = _job(count), _machine(block)

    def through(work):
        return work._replace(method=Partial(_same))

    return tuple(
        _timed(job, machine, through, form, folder / form) for form in _FORMATS
    )


def _same(key, predict, image, label):
    return preempt.Protected(image, label)


def _job(count: int) -> jobs.Protect:
    spec = models.ModelSpec(
        "resnet20", {}, (0.5,) * 3, (0.25,) * 3, 10, (32, 32, 3), {}
    )
    return jobs.Protect(
        source=data.from_arrays(_pictures(count), np.arange(count) % 10),
        surrogate=models.create_model(jax.random.key(FLAGS.seed), spec),
        eps=8 / 255,
        samples=FLAGS.samples,
        antithetic=FLAGS.samples % 2 == 0,
    )


def _pictures(count: int) -> np.ndarray:
    """Slopes of color with some noise, which PNG packs as well as photographs."""
    rng = np.random.default_rng(FLAGS.seed)
    y, x = np.mgrid[:32, :32][..., None] / 31
    slopes = rng.uniform(-0.5, 0.5, (2, count, 1, 1, 3))
    noise = 0.03 * rng.normal(size=(count, 32, 32, 3))
    pictures = 0.5 + slopes[0] * x + slopes[1] * y + noise
    return (255 * np.clip(pictures, 0, 1)).astype(np.uint8)


def _machine(block: int) -> jobs.ChunkedMachine:
    return jobs.ChunkedMachine(block=block, batch_size=block)


def _timed(job, machine, changed, form: str, out: pathlib.Path) -> float:
    """Images per second of the job, after its first batch.

    Its files stay until all is measured: ext4 takes ten times as long to create files
    for half a minute after as many have been removed, as it passes over their inodes.
    """
    job = dataclasses.replace(job, format=form)
    result = run_work(job, out, machine, changed(job._work(out, machine)))
    return result.summary.images_per_second


if __name__ == "__main__":
    app.run(main)
