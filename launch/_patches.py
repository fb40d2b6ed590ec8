"""What certify does about patches: flags, detectors, records, sums."""

import functools
import math
import pathlib
from collections.abc import Callable, Collection
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from absl import flags
from jax.tree_util import Partial

from launch import _job, _patch_attacks
from launch._passes import images_per_pass
from mspd_jax import data, evaluate, models, patch
from mspd_jax.errors import InputError

# Flags defined through this module count as the calling main's own.
flags.disclaim_key_flags()
FLAGS = flags.FLAGS
METHODS = ("scalecert", "minority", "patchcleanser")
_NEURONS = ("keep", "cut")
_MOST_PAIRS = 2**20  # of windows, of PatchCleanser
OWN = ("patch", "windows", "confidence", *_NEURONS, *_patch_attacks.OWN)


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
    _patch_attacks.define_flags()


def certify_patches(
    source: data.Source, target: models.Model, *, unused: Collection[str]
) -> _job.Finished:
    """A verdict for each image.

    unused: flags that do not matter here.
    """
    job = _job_of(target, windows_of(target))
    return _job.run_job(
        "certify", block=FLAGS.block, chunk=job.budget, predict=job.detector,
        method=job.method, source=source,
        describe=job.describe, used={"target": target}, unused=(*unused, *_idle()),
    )  # fmt: skip


def windows_of(target: models.Model) -> patch.Windows:
    """The windows that the flags ask for."""
    shape = target.spec.image_shape
    side = patch.patch_side(FLAGS.patch, shape)
    return patch.cover(shape, patch=side, per_axis=FLAGS.windows or None)


def check_flags() -> None:
    """InputError unless the flags go with the method."""
    if FLAGS.patch is None:
        raise InputError(f"--method={FLAGS.method} needs --patch=SIDE, as 5 or 2.4%")
    if not 0.0 <= FLAGS.confidence < 1.0:  # what is not a number passes a flag's bounds
        raise InputError(f"--confidence={FLAGS.confidence}: expected 0 to below 1")
    wrong = [n for n in _NEURONS if FLAGS[n].present and FLAGS.method != "scalecert"]
    if FLAGS["confidence"].present and FLAGS.method == "patchcleanser":
        wrong.append("confidence")
    if wrong:
        raise InputError(f"--{wrong[0]} does not go with --method={FLAGS.method}")
    _patch_attacks.check_flags(FLAGS.method)


def _idle() -> list[str]:
    """Flags that do not matter for this method, or without attacks."""
    names = [] if FLAGS.method == "scalecert" else [*_NEURONS]
    names += ["confidence"] if FLAGS.method == "patchcleanser" else []
    return names if FLAGS.attack else [*names, *_patch_attacks.SIZES, "seed"]


def summarize(windows: patch.Windows, records: list[dict] | None) -> dict:
    """The totals; without labels there are no accuracies."""
    if not records:
        return {}
    totals = evaluate.detected_totals(records)
    warnings = []
    if any(record["label"] < 0 for record in records):
        of_labels = ("_accuracy", "_interval", "attacks", "undetected")
        totals = {k: v for k, v in totals.items() if not k.endswith(of_labels)}
        warnings.append("without labels there is no accuracy")
    if totals.get("broken_certificates"):
        warnings.append("an attack broke a certificate: this must not be, report it")
    told = {"patch": windows.patch, "windows": windows.count}
    return told | totals | {"warnings": warnings}


class _Job(NamedTuple):
    """What is asked about an image, how, and what its record says of the answer."""

    detector: Any
    method: Partial
    describe: Callable
    budget: int


def _job_of(target: models.Model, windows: patch.Windows) -> _Job:
    predict, shape = models.predictor(target), target.spec.image_shape
    if FLAGS.method == "patchcleanser":
        if windows.count**2 > _MOST_PAIRS:
            raise InputError(
                f"{windows.count} windows make too many pairs: take at most "
                f"{math.isqrt(_MOST_PAIRS)}, with --windows along an axis"
            )
        chosen = _patch_attacks.chosen_attacks(predict, shape, windows.patch)
        budget = _budget(windows.count, shape)
        recover = functools.partial(_recover, budget=budget)
        pairs = patch.patch_cleanser(predict, windows)
        return _Job(pairs, Partial(recover, chosen), _told_recovery, budget)
    passes = 1
    if FLAGS.method == "scalecert":
        parts = models.split(target, FLAGS.cut)
        detector = patch.scalecert(parts, windows, keep=FLAGS.keep)
        passes = 4  # or more, as some windows need not be asked
    else:
        detector = patch.minority_reports(predict, windows)
    whole = Partial(_whole, detector)
    chosen = _patch_attacks.chosen_attacks(whole, shape, windows.patch)
    budget = _budget(windows.count, shape, passes)
    detect = functools.partial(_detect, budget=budget)
    confidence = jnp.asarray(FLAGS.confidence, jnp.float32)
    return _Job(detector, Partial(detect, chosen, confidence), _told_verdict, budget)


def _whole(detector, image):
    return detector(image).whole


def _detect(chosen, confidence, key, predict, image, label, *, budget):
    detect = functools.partial(patch.detect, budget=budget, confidence=confidence)
    verdict = detect(predict, image)

    def judge(attacked):
        found = detect(predict, attacked)
        return found.label, found.alert

    return verdict, _patch_attacks.attacked(
        key, chosen, judge, predict, image, label, verdict.label
    )


def _recover(chosen, key, predict, image, label, *, budget):
    recover = functools.partial(patch.recover, budget=budget)
    found = recover(predict, image)

    def judge(attacked):
        return recover(predict, attacked).label, jnp.asarray(False)

    return found, _patch_attacks.attacked(
        key, chosen, judge, predict, image, label, found.label
    )


def _budget(most: int, shape: tuple[int, int, int], passes: int = 1) -> int:
    """Windows per pass: as the device likes, in at least so many passes of one size."""
    if FLAGS.chunk:
        return FLAGS.chunk
    fit = images_per_pass(shape, batch_size=FLAGS.block)
    return math.ceil(most / max(passes, math.ceil(most / fit)))


def _told_verdict(
    folder: pathlib.Path, record: data.Record, result: tuple[patch.Detection, dict]
) -> dict:
    """The verdict on an image, and the votes of the windows that were asked."""
    del folder
    verdict, attacked = result
    asked = np.flatnonzero(verdict.computed)
    label, alert = int(verdict.label), bool(verdict.alert)
    return {
        "prediction": label,
        "alert": alert,
        "certified": bool(verdict.certified),
        "correct": 0 <= label == record.label and not alert,
        "asked": asked.tolist(),
        "votes": verdict.windows[asked].tolist(),
        "predictions": int(verdict.predictions),
        **_told_attacks(attacked),
    }


def _told_recovery(
    folder: pathlib.Path, record: data.Record, result: tuple[patch.Recovery, dict]
) -> dict:
    """The label that was recovered, and the votes under single windows."""
    del folder
    found, attacked = result
    label = int(found.label)
    return {
        "prediction": label,
        "alert": False,
        "certified": bool(found.certified),
        "correct": 0 <= label == record.label,
        "asked": list(range(len(found.windows))),
        "votes": found.windows.tolist(),
        "predictions": int(found.computed),
        **_told_attacks(attacked),
    }


def _told_attacks(attacked: dict) -> dict:
    told = {
        name: {"prediction": int(label), "alert": bool(alert)}
        for name, (label, alert) in attacked.items()
    }
    return {"attacks": told} if told else {}
