"""What the record of an image says of the attacks on it."""

import pathlib

import numpy as np

from mspd_jax import data
from mspd_jax.evaluate import Evaluated, Verdict


def describe(
    folder: pathlib.Path, record: data.Record, result: Evaluated, *, save_images: bool
) -> dict:
    """Fields of a record; writes the attacked images below `folder` if asked to.

    The PNG of an attacked image is for looking at: it is rounded to 8 bits, the verdict
    is about the image before.
    """
    fields = {
        "prediction": int(result.prediction),
        "correct": int(result.prediction) == record.label,
        "attacks": {name: _told(v) for name, v in result.verdicts.items()},
    }
    if save_images:
        for name, verdict in result.verdicts.items():
            file = pathlib.PurePosixPath("adversarial", name, record.name)
            pixels = np.rint(np.asarray(verdict.image) * 255).astype(np.uint8)
            data.write_png(folder / file, pixels)
            fields["attacks"][name]["file"] = str(file)
    return fields


def _told(verdict: Verdict) -> dict:
    return {
        "found": bool(verdict.found),
        "finite": bool(verdict.finite),
        "prediction": int(verdict.prediction),
        "linf": round(float(verdict.linf), 6),
        "l2": round(float(verdict.l2), 6),
    }
