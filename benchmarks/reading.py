"""Reading images: the driver's threads against Grain, in one run.

    python -m benchmarks.reading

needs the package `grain`. Prints images per second of what each hands on when nothing
is computed: 32x32 images from ArrayRecord, and JPEGs of 224x224, both made
here. Ours reads by the threads of `drive`; Grain by its threads, and by processes of
its own, which hand their arrays over through shared memory. Five minutes.
"""

import concurrent.futures
import pathlib
import tempfile
import time
from collections.abc import Iterator

import numpy as np
from absl import app, flags
from PIL import Image

from benchmarks import _measure
from mspd_jax import data
from mspd_jax.drive._drive import _READERS

FLAGS = flags.FLAGS
flags.DEFINE_integer("small", 100_000, "32x32 images in ArrayRecord")
flags.DEFINE_integer("jpegs", 6_000, "JPEGs of 224x224")
flags.DEFINE_integer("turns", 3, "turns; figures are medians over them")
flags.DEFINE_integer("seed", 0, "seed of the images")

_BATCH = 256


class _Records:
    """A source as Grain wants one."""

    def __init__(self, spec: str) -> None:
        self.spec, self._source = spec, data.open_source(spec)

    def __len__(self) -> int:
        return len(self._source.indices)

    def __getitem__(self, position) -> tuple[int, np.ndarray, int]:
        record = self._source.read(int(position))
        return record.index, record.image, record.label

    def __reduce__(self):  # a worker opens the files itself
        return _Records, (self.spec,)


def main(_):
    print(_measure.surroundings("jax", "array_record", "grain", "pillow"))
    with tempfile.TemporaryDirectory() as folder:
        sources = {
            "32x32, ArrayRecord": _small(pathlib.Path(folder, "small")),
            "224x224, JPEG": _jpegs(pathlib.Path(folder, "jpegs")),
        }
        ways = {f"drive, {_READERS} threads": _ours}
        ways["Grain, 16 threads"] = _grain(0)
        for workers in (1, 2, 4):
            ways[f"Grain, {workers} processes"] = _grain(workers)
        print(f"\n| images/s | {' | '.join(ways)} |\n|:--|{'--:|' * len(ways)}")
        for name, spec in sources.items():
            turns = [
                [_rate(w, spec) for w in ways.values()] for _ in range(FLAGS.turns)
            ]
            cells = " | ".join(f"{rate:.0f}" for rate in np.median(turns, axis=0))
            print(f"| {name} | {cells} |", flush=True)


def _small(folder: pathlib.Path) -> str:
    rng = np.random.default_rng(FLAGS.seed)
    images = rng.integers(0, 256, (FLAGS.small, 32, 32, 3), np.uint8)
    rows = [data.Row(i, i % 10, f"{i}.png", image) for i, image in enumerate(images)]
    data.write_part(folder / "part", rows)
    data.merge_parts([folder / "part"], folder / "images", num_classes=10)
    return f"arrayrecord:{folder / 'images'}"


def _jpegs(folder: pathlib.Path) -> str:
    """Smooth pictures with some noise, about as large as photographs."""
    rng = np.random.default_rng(FLAGS.seed)
    folder.mkdir()
    for number in range(FLAGS.jpegs):
        coarse = Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8))
        smooth = np.asarray(coarse.resize((224, 224), Image.Resampling.BICUBIC))
        noisy = np.clip(smooth + rng.normal(0, 8, smooth.shape), 0, 255)
        image = Image.fromarray(noisy.astype(np.uint8))
        image.save(folder / f"{number:05d}_0.jpg", quality=90)
    return f"folder:{folder}"


def _rate(way, spec: str) -> float:
    """Images per second after the first quarter, by when all processes have begun."""
    count = FLAGS.small if spec.startswith("arrayrecord") else FLAGS.jpegs
    begun, images, later = 0.0, 0, 0
    for batch in way(spec):
        if begun:
            later += len(batch)
        images += len(batch)
        if not begun and images >= count / 4:
            begun = time.perf_counter()
    return later / (time.perf_counter() - begun)


def _ours(spec: str) -> Iterator[np.ndarray]:
    source = data.open_source(spec)
    places = np.arange(len(source.indices))
    batches = [places[at : at + _BATCH] for at in range(0, len(places), _BATCH)]

    def read(positions):
        return [source.read(int(position)).image for position in positions]

    with concurrent.futures.ThreadPoolExecutor(_READERS) as readers:
        begun = None
        for batch in [*batches, None]:
            done, begun = (
                begun,
                batch is not None
                and [
                    readers.submit(read, some)
                    for some in np.array_split(batch, _READERS)
                ],
            )
            if done:
                yield np.stack([image for part in done for image in part.result()])


def _grain(workers: int):
    def batches(spec: str) -> Iterator[np.ndarray]:
        import grain

        # Not more ahead than ours, which would be read before the clock runs.
        ahead = grain.ReadOptions(num_threads=16, prefetch_buffer_size=_BATCH)
        read = grain.MapDataset.source(_Records(spec)).to_iter_dataset(ahead)
        read = read.batch(_BATCH)
        if workers:
            options = grain.MultiprocessingOptions(num_workers=workers)
            read = read.mp_prefetch(options)
        for _, images, _ in read:
            yield images

    return batches


if __name__ == "__main__":
    app.run(main)
