"""A million images through `protect`, killed twice: seconds, memory, nothing lost.

    python -m benchmarks.million --folder=FOLDER

makes an ArrayRecord data set of random 32x32 images in FOLDER (3 GB; of shards that are
there it makes none anew), protects it by a tiny surrogate into ArrayRecord, kills the
run with -9 when a third and when two thirds are done, starts it again each time, and
then protects all in one piece. Prints a table of the starts with their peak memory, the
rate of the compiled function without all that, and whether the files of both are the
same, byte for byte. Half an hour on two CPU cores and 10 GB of disk.
"""

import hashlib
import pathlib
import shutil
import subprocess
import sys
import time

import jax
import numpy as np
from absl import app, flags

from benchmarks import _measure
from benchmarks._alone import alone_rate
from mspd_jax import data, jobs, models

FLAGS = flags.FLAGS
flags.DEFINE_string("folder", None, "where all of it goes", required=True)
flags.DEFINE_integer("images", 1_000_000, "how many images")
flags.DEFINE_integer("block", 256, "images that a program computes at once")
flags.DEFINE_bool("again", True, "protect all in one piece, too, and compare")
flags.DEFINE_integer("seed", 0, "seed of images, weights and noise")

_PART = 50_000  # images that are made at once


def main(_):
    folder = pathlib.Path(FLAGS.folder)
    print(_measure.surroundings("jax", "jaxlib", "array_record"))
    _make(folder)
    alone = _alone(folder)
    print(f"\nThe compiled function alone: {alone:.0f} images/s.")
    print("\n| start | images | seconds | images/s | peak, MB | ended |")
    print("|:--|--:|--:|--:|--:|:--|", flush=True)
    for third in (1, 2):
        _start(folder, "killed", until=third * FLAGS.images // 3)
    _start(folder, "killed")
    if FLAGS.again:
        _start(folder, "whole")
        same = _hashes(folder / "killed") == _hashes(folder / "whole")
        print(f"\nThe files of both are {'the same' if same else 'NOT the same'}.")


def _make(folder: pathlib.Path) -> None:
    if not (folder / "model").exists():
        spec = models.ModelSpec(
            "small_cnn",
            {"widths": (8, 8)},
            (0.5,) * 3,
            (0.25,) * 3,
            10,
            (32, 32, 3),
            {},
        )
        models.save_model(
            folder / "model", models.create_model(jax.random.key(FLAGS.seed), spec)
        )
    source = folder / "source"
    if (source / "dataset_info.json").exists():
        return
    parts = folder / "source.parts"
    for first in range(0, FLAGS.images, _PART):
        rng = np.random.default_rng((FLAGS.seed, first))
        count = min(_PART, FLAGS.images - first)
        images = rng.integers(0, 256, (count, 32, 32, 3), np.uint8)
        rows = [
            data.Row(first + i, i % 10, f"{first + i:07d}.png", image)
            for i, image in enumerate(images)
        ]
        data.write_part(parts / f"{first:09d}.array_record", rows)
    data.merge_parts(sorted(parts.iterdir()), source, num_classes=10)
    shutil.rmtree(parts)


def _alone(folder: pathlib.Path) -> float:
    """Images per second of the compiled function, on some of the images."""
    source = data.open_source(f"arrayrecord:{folder}/source", limit=100 * FLAGS.block)
    job = jobs.Protect(
        source=source, surrogate=str(folder / "model"), eps=8 / 255, samples=1
    )
    machine = jobs.ChunkedMachine(block=FLAGS.block, batch_size=FLAGS.block)
    return alone_rate(job, machine, *data.load_arrays(source))


def _start(folder: pathlib.Path, name: str, until: int | None = None) -> None:
    """One start of the run, killed when so many images have a record."""
    out = folder / name
    before = _done(out)
    command = [
        *(
            sys.executable,
            "-m",
            "launch.protect",
            f"--source=arrayrecord:{folder}/source",
        ),
        *(f"--surrogate={folder}/model", "--eps=8/255", "--samples=1"),
        *("--format=arrayrecord", f"--block={FLAGS.block}", f"--seed={FLAGS.seed}"),
        *(f"--batch_size={FLAGS.block}", f"--out={out}"),
    ]
    begun, peak = time.perf_counter(), 0
    with open(folder / f"{name}.log", "a") as log:
        running = subprocess.Popen(command, stderr=log, stdout=log)
        while running.poll() is None:
            peak = max(peak, _peak(running.pid))
            if until is not None and _done(out) >= until:
                running.kill()
                running.wait()
            time.sleep(0.5)
    seconds, done = time.perf_counter() - begun, _done(out) - before
    if running.returncode not in (0, -9):
        sys.exit(f"{name}: see {folder / name}.log")
    ended = "killed" if running.returncode else "by itself"
    print(
        f"| {name} | {done} | {seconds:.0f} | {done / seconds:.0f} | "
        f"{peak / 2**20:.0f} | {ended} |",
        flush=True,
    )


def _done(out: pathlib.Path) -> int:
    """How many images have a record."""
    try:
        with open(out / "records.jsonl", "rb") as log:
            return sum(
                chunk.count(b"\n") for chunk in iter(lambda: log.read(2**24), b"")
            )
    except FileNotFoundError:
        return 0


def _peak(process: int) -> int:
    try:
        status = pathlib.Path(f"/proc/{process}/status").read_text()
    except FileNotFoundError:
        return 0
    found = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(found[0].split()[1]) * 1024 if found else 0


def _hashes(folder: pathlib.Path) -> dict[str, str]:
    files = [folder / "records.jsonl", *sorted((folder / "images").iterdir())]
    found = {}
    for file in files:
        with open(file, "rb") as content:
            found[file.name] = hashlib.file_digest(content, "sha256").hexdigest()
    return found


if __name__ == "__main__":
    app.run(main)
