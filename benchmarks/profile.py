"""Where the time of protect and of AutoAttack goes, by what XLA runs.

    python -m benchmarks.profile

prints Markdown: for each program of both jobs the share of its time in convolutions and
matrix products, and what the rest is, by the operations that take most of it. Random
weights and images, the shapes of CIFAR-10; a profile of compiled programs, called as
the driver calls them. Three minutes on two CPU cores.
"""

from launch import _platform

_platform.prepare()  # before JAX starts, as every main does

import collections  # noqa: E402
import pathlib  # noqa: E402
import re  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402

import jax  # noqa: E402
import numpy as np  # noqa: E402
from absl import app, flags, logging  # noqa: E402
from jax.profiler import ProfileData  # noqa: E402

from benchmarks import _measure  # noqa: E402
from mspd_jax import data, jobs, models  # noqa: E402

FLAGS = flags.FLAGS
flags.DEFINE_string("network", "resnet20", "architecture")
flags.DEFINE_integer("samples", 20, "noise draws per epoch of MSPD (N)")
flags.DEFINE_float("seconds", 5.0, "at least so long is each program called")
flags.DEFINE_list("jobs", ["protect", "evaluate"], "which of the two")
flags.DEFINE_integer("seed", 0, "seed of weights and images")

_PRODUCT = re.compile(r" (?:convolution|dot)\(")
_DEFINED = re.compile(r"^ *(?:ROOT )?%?([\w.-]+) = (.*)$", re.M)
_MOST = 4  # kinds of operations that are named


def main(_):
    logging.set_verbosity(logging.WARNING)
    print(_measure.surroundings("jax", "jaxlib"))
    columns = ["program", "ms of a call", "products", "the rest"]
    print(f"\n| {' | '.join(columns)} |\n|:--|--:|--:|:--|")
    for job in _jobs():
        for program in job.programs():
            print(_row(program), flush=True)


def _jobs():
    rng = np.random.default_rng(FLAGS.seed)
    images = rng.integers(0, 256, (8, 32, 32, 3), np.uint8)
    source = data.from_arrays(images, np.arange(8))
    mean, std = (0.4914, 0.4822, 0.4465), (0.2471, 0.2435, 0.2616)
    spec = models.ModelSpec(FLAGS.network, {}, mean, std, 10, (32, 32, 3), {})
    model = models.create_model(jax.random.key(FLAGS.seed), spec)
    shared = {"source": source, "eps": 8 / 255}
    if "protect" in FLAGS.jobs:
        draws = {"recipe": "paper", "samples": FLAGS.samples}
        yield jobs.Protect(surrogate=model, **draws, **shared)
    if "evaluate" in FLAGS.jobs:
        yield jobs.Evaluate(target=model, attack="autoattack", **shared)


def _row(program) -> str:
    devices = program.devices or jax.devices()[:1]
    held = jax.device_put(program.held, devices[0])
    rows = [
        np.random.default_rng(FLAGS.seed).uniform(size=row.shape).astype(row.dtype)
        for row in program.rows
    ]
    compiled = program.function.lower(*held, *rows).compile()
    jax.block_until_ready(compiled(*held, *rows))
    begun, calls = time.perf_counter(), 0
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder):
            while time.perf_counter() - begun < FLAGS.seconds:
                jax.block_until_ready(compiled(*held, *rows))
                calls += 1
        seconds = (time.perf_counter() - begun) / calls
        taken = _taken(pathlib.Path(folder))
    kinds = _kinds(compiled.as_text(), taken)
    total = sum(kinds.values())
    products = kinds.pop("product", 0.0)
    rest = ", ".join(
        f"{name} {share / total:.1%}" for name, share in kinds.most_common(_MOST)
    )
    return (
        f"| {program.name} | {1000 * seconds:.1f} | {products / total:.1%} | {rest} |"
    )


def _taken(folder: pathlib.Path) -> collections.Counter:
    """Nanoseconds of each instruction of the programs that ran."""
    (file,) = folder.rglob("*.xplane.pb")
    taken: collections.Counter = collections.Counter()
    for plane in ProfileData.from_file(str(file)).planes:
        for line in plane.lines:
            for event in line.events:
                if "hlo_op" in dict(event.stats):
                    taken[event.name] += event.duration_ns
    return taken


def _kinds(text: str, taken: collections.Counter) -> collections.Counter:
    """The same by kind: products, and other instructions by what they are called.

    What calls others (loops, calls) is left out: those are there themselves.
    """
    defined = dict(_DEFINED.findall(text))
    bodies = dict(re.findall(r"^%?([\w.-]+) \([^\n]*\{\n(.*?)^\}", text, re.M | re.S))
    kinds: collections.Counter = collections.Counter()
    for name, nanoseconds in taken.items():
        instruction = defined.get(name, "")
        called = re.search(r"calls=%?([\w.-]+)", instruction)
        body = f" {instruction}" + (bodies.get(called[1], "") if called else "")
        if re.search(r"\b(?:while|call|conditional)\(", instruction):
            continue
        product = _PRODUCT.search(body)
        kind = "product" if product else re.sub(r"(?:\.\d+|\.clone)*$", "", name)
        kinds[kind] += nanoseconds
    return kinds


if __name__ == "__main__":
    app.run(main)
