"""Driving what measures a trained model over images, a record each."""

import math
from collections.abc import Callable, Collection
from typing import Any

import jax

from mspd_jax import data, drive
from mspd_jax.streams import stream

# Images that are measured by one program at once.
BLOCK = 8


def measuring_program(
    job: Any, predict: Callable, method: Callable, image_shape: tuple[int, ...]
) -> drive.Program:
    """The program of `measure_images`."""
    return drive.image_program(
        measuring_key(job),
        predict,
        method,
        name="evaluate",
        image_shape=image_shape,
        block=BLOCK,
    )


def measuring_key(job: Any) -> jax.Array:
    """What the measuring of a trained model draws from."""
    return stream(job.seed, "measure")


def images_at_once(job: Any) -> int:
    """Images per device between two writes, when the trained model is measured."""
    return max(1, job.batch_size // drive.here().devices)


def measure_images(
    key: jax.Array,
    job: Any,
    source: data.Source,
    predict: Callable,
    method: Callable,
    *,
    done: Collection[int],
    write: Callable[[list[dict]], None],
) -> list[str]:
    """Drives `method`, which gives a dictionary, over the images that are not done.

    Returns what was said of each image that could not be read.
    """
    here = drive.here()
    outcomes = drive.drive(
        key,
        predict,
        method,
        source,
        skip=done,
        block=BLOCK,
        batch_size=images_at_once(job),
    )

    def describe(record: data.Record, result: dict[str, Any]) -> dict:
        values = jax.tree.map(lambda value: value.tolist(), result)
        return {"label": record.label, **values}

    with drive.progress_bar(
        total=math.ceil(len(source.indices) / here.processes),
        done=len(done) // here.processes,
        description="evaluate",
        hidden=here.process > 0,
    ) as bar:
        return drive.run(outcomes, describe, write, advance=bar.update).unreadable
