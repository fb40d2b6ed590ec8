"""Attacked images as files."""

import pathlib

import numpy as np

from mspd_jax import data
from mspd_jax.evaluate import Verdict


def keep(folder: pathlib.Path, attack: str, record: data.Record, verdict: Verdict):
    """Writes an attacked image below `folder`; returns what its record says of it.

    The PNG is for looking at: it is rounded to 8 bits, the verdict is about the image
    before.
    """
    place = attack.replace(":", "_")
    file = pathlib.PurePosixPath("adversarial", place, record.name)
    pixels = np.rint(np.asarray(verdict.image) * 255).astype(np.uint8)
    data.write_png(folder / file, pixels)
    return {"file": str(file)}
