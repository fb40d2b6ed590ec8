"""What TF32 and bfloat16 change in protected images and in robust accuracy.

    python -m benchmarks.precision --source=tfds:cifar10_subset:test --data_dir=DATA

protects images (MSPD, the surrogate that ships, its own labels) in each precision and
compares the files; attacks the files, and the images as they are, with PGD-20 on the
same surrogate and on --target, the attack in float32 and in each precision, the verdict
always in float32. Two minutes on two CPU cores for 48 images; bfloat16 is for
accelerators, and no faster there.
"""

from launch import _platform

_platform.prepare()  # before JAX starts, as every main does

import dataclasses  # noqa: E402
import pathlib  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402

import numpy as np  # noqa: E402
from absl import app, flags, logging  # noqa: E402

from benchmarks import _measure  # noqa: E402
from mspd_jax import data, jobs, models  # noqa: E402

FLAGS = flags.FLAGS
flags.DEFINE_string("source", "digits:test", "images")
flags.DEFINE_string("data_dir", None, "prepared TFDS data sets")
flags.DEFINE_string("surrogate", "cifar10_resnet20_robust", "a checkpoint or a name")
flags.DEFINE_string("target", None, "a checkpoint to attack besides the surrogate")
flags.DEFINE_integer("images", 48, "how many images", lower_bound=1)
flags.DEFINE_integer("samples", 20, "noise draws (N)", lower_bound=1)
flags.DEFINE_string("eps", "8/255", "radius, l_inf")


def main(_):
    logging.set_verbosity(logging.WARNING)
    print(_measure.surroundings("jax", "jaxlib") + "\n")
    source = data.open_source(FLAGS.source, data_dir=FLAGS.data_dir, limit=FLAGS.images)
    with tempfile.TemporaryDirectory() as out:
        folders = _protected(source, pathlib.Path(out))
        _print_files(folders)
        _print_attacks(source, folders, pathlib.Path(out))


def _protected(source, out):
    """The folder of each precision's files, and the seconds that they took."""
    job = jobs.Protect(
        source=source,
        surrogate=FLAGS.surrogate,
        eps=FLAGS.eps,
        recipe="paper",
        samples=FLAGS.samples,
    )
    folders = {}
    for precision in models.PRECISIONS:
        began = time.perf_counter()
        found = dataclasses.replace(job, precision=precision).run(out / precision)
        compiling = found.summary.compile_seconds
        folders[precision] = found, time.perf_counter() - began - compiling
    return folders


def _print_files(folders):
    print(
        f"Protected, N = {FLAGS.samples}, eps {FLAGS.eps}, {FLAGS.images} images.\n\n"
        "| | pixels that differ from float32 | mean change, levels | largest | images "
        "that are equal | largest distance to the source | seconds |\n"
        "| :-- | --: | --: | --: | --: | --: | --: |"
    )
    exact = _levels(folders["float32"][0])
    for precision, (found, seconds) in folders.items():
        change = np.abs(_levels(found) - exact)
        equal = np.sum(change.reshape(len(change), -1).max(1) == 0)
        print(
            f"| {precision} | {100 * np.mean(change > 0):.2f} % | {change.mean():.3f} "
            f"| {change.max():.0f} | {equal} | {255 * found.summary.linf_max:.2f} / 255"
            f" | {seconds:.1f} |",
            flush=True,
        )


def _levels(found):
    files = [found.folder / record.file for record in found.records]
    return np.stack([255 * data.read_image(file).astype(np.float64) for file in files])


def _print_attacks(source, folders, out):
    print(
        "\nRobust accuracy in percent, PGD-20, l_inf "
        f"{FLAGS.eps}; in brackets the images whose verdict is another than that "
        "after the attack in float32.\n\n"
        "| images | model | clean | "
        + " | ".join(f"attack in {name}" for name in models.PRECISIONS)
        + " |\n| :-- | :-- | --: |"
        + " --: |" * len(models.PRECISIONS)
    )
    sources = {"as they are": source} | {
        f"protected in {name}": data.open_source(f"folder:{found.folder}")
        for name, (found, _) in folders.items()
    }
    for shown, images in sources.items():
        for target in filter(None, (FLAGS.surrogate, FLAGS.target)):
            _print_row(shown, images, target, out)


def _print_row(shown, images, target, out):
    job = jobs.Evaluate(
        source=images,
        target=target,
        attack="pgd-20",
        eps=FLAGS.eps,
        check_images=0,
    )
    fallen, cells = {}, []
    for precision in models.PRECISIONS:
        folder = out / f"{shown}-{pathlib.Path(target).name}-{precision}"
        found = dataclasses.replace(job, precision=precision).run(folder)
        fallen[precision] = {
            r.index for r in found.records if r.attacks.get("pgd-20", {}).get("found")
        }
        others = len(fallen[precision] ^ fallen["float32"])
        cells.append(f"{100 * found.summary.robust_accuracy:.1f} ({others})")
    clean = 100 * found.summary.clean_accuracy
    name = pathlib.Path(target).name
    print(f"| {shown} | {name} | {clean:.1f} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    app.run(main)
