"""What certify does about patches: flags, detectors, records, sums."""

import functools
import math
import pathlib
from collections.abc import Collection

import jax.numpy as jnp
import numpy as np
from absl import flags
from jax.tree_util import Partial

from launch import _job
from launch._passes import images_per_pass
from mspd_jax import data, evaluate, models, patch
from mspd_jax.errors import InputError

# Flags defined through this module count as the calling main's own.
flags.disclaim_key_flags()
FLAGS = flags.FLAGS
METHODS = ("scalecert", "minority", "patchcleanser")
_NEURONS = ("keep", "cut")
OWN = ("patch", "windows", "confidence", *_NEURONS)


def define_flags() -> None:
    """The flags of patches and windows."""
    flags.DEFINE_string(
        "patch", None, "side of the patch in pixels, as 5, or its share of the image, "
        "as 2.4%, rounded up to whole pixels"
    )  # fmt: skip
    flags.DEFINE_integer(
        "windows", 6, "windows along an axis; 0 for one at each place of the patch", 0
    )
    flags.DEFINE_float(
        "keep", 0.05, "share of the layer's neurons that scalecert selects; with 1 it "
        "hides features and selects none (PatchGuard++)", 0.0, 1.0,
    )  # fmt: skip
    flags.DEFINE_string("cut", "stem", "layer behind which scalecert selects neurons")
    flags.DEFINE_float(
        "confidence", 0.0, "probability that a window's class must have to raise an "
        "alert, and to be certified", 0.0, 1.0,
    )  # fmt: skip


def certify_patches(
    source: data.Source, target: models.Model, *, unused: Collection[str]
) -> _job.Finished:
    """A verdict for each image.

    unused: flags that do not matter here.
    """
    shape, windows = target.spec.image_shape, _windows(target)
    method, describe = _method(windows, shape)
    return _job.run_job(
        "certify", predict=_detector(target, windows), method=method, source=source,
        describe=describe, used={"target": target}, unused=unused,
    )  # fmt: skip


def check_flags() -> None:
    """InputError unless the flags go with the method."""
    if FLAGS.patch is None:
        raise InputError(f"--method={FLAGS.method} needs --patch=SIDE, as 5 or 2.4%")
    wrong = [n for n in _NEURONS if FLAGS[n].present and FLAGS.method != "scalecert"]
    if FLAGS["confidence"].present and FLAGS.method == "patchcleanser":
        wrong.append("confidence")
    if wrong:
        raise InputError(f"--{wrong[0]} does not go with --method={FLAGS.method}")


def summarize(target: models.Model, records: list[dict] | None) -> dict:
    """The totals; without labels there are no accuracies."""
    if not records:
        return {}
    totals = evaluate.detected_totals(records)
    warnings = []
    if any(record["label"] < 0 for record in records):
        of_labels = ("_accuracy", "_interval")
        totals = {k: v for k, v in totals.items() if not k.endswith(of_labels)}
        warnings.append("without labels there is no accuracy")
    windows = _windows(target)
    told = {"patch": windows.patch, "windows": windows.count}
    return told | totals | {"warnings": warnings}


def _windows(target: models.Model) -> patch.Windows:
    shape = target.spec.image_shape
    side = patch.patch_side(FLAGS.patch, shape)
    return patch.cover(shape, patch=side, per_axis=FLAGS.windows or None)


def _detector(target: models.Model, windows: patch.Windows) -> Partial:
    shape = target.spec.image_shape
    if FLAGS.method == "scalecert":
        parts = models.split(target, FLAGS.cut)
        return patch.scalecert(parts, windows, keep=FLAGS.keep)
    make = {
        "minority": patch.minority_reports, "patchcleanser": patch.patch_cleanser
    }[FLAGS.method]  # fmt: skip
    return make(models.predictor(target), windows, shape)


def _method(windows, shape):
    """What is done with each image, and what its record says of it."""
    if FLAGS.method == "patchcleanser":
        asked = windows.count**2
        method = functools.partial(
            _recover, count=windows.count, budget=_budget(asked, shape)
        )
        return Partial(method), _told_recovery
    method = functools.partial(_detect, budget=_budget(windows.count, shape))
    confidence = jnp.asarray(FLAGS.confidence, jnp.float32)
    return Partial(method, confidence=confidence), _told_verdict


def _detect(key, predict, image, label, *, budget, confidence) -> patch.Verdict:
    del key, label
    return patch.detect(predict, image, budget=budget, confidence=confidence)


def _recover(key, predict, image, label, *, count, budget) -> patch.Recovery:
    del key, label
    return patch.recover(predict, image, count=count, budget=budget)


def _budget(most: int, shape: tuple[int, int, int]) -> int:
    """Windows per pass: as the device likes, but never all in one, for some of them
    need not be asked."""
    if FLAGS.chunk:
        return FLAGS.chunk
    fit = images_per_pass(shape, batch_size=FLAGS.batch_size)
    return math.ceil(most / max(4, math.ceil(most / fit)))


def _told_verdict(
    folder: pathlib.Path, record: data.Record, verdict: patch.Verdict
) -> dict:
    """The verdict on an image, and the votes of the windows that were asked."""
    del folder
    asked = np.flatnonzero(verdict.computed)
    label, alert = int(verdict.label), bool(verdict.alert)
    return {
        "prediction": label,
        "alert": alert,
        "certified": bool(verdict.certified),
        "correct": 0 <= label == record.label and not alert,
        "asked": asked.tolist(),
        "votes": verdict.windows[asked].tolist(),
        "predictions": 1 + len(asked),
    }


def _told_recovery(
    folder: pathlib.Path, record: data.Record, found: patch.Recovery
) -> dict:
    """The label that was recovered, and the votes under single windows."""
    del folder
    label = int(found.label)
    return {
        "prediction": label,
        "alert": False,
        "certified": bool(found.certified),
        "correct": 0 <= label == record.label,
        "asked": list(range(len(found.windows))),
        "votes": found.windows.tolist(),
        "predictions": int(found.computed),
    }
