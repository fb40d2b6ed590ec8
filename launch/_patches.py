"""What certify does about patches: flags, detectors, records, sums."""

import functools
import math
import pathlib
from collections.abc import Callable, Collection

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
    method, describe = _method(target)
    return _job.run_job(
        "certify", predict=_detector(target), method=method, source=source,
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
    _patch_attacks.check_flags(FLAGS.method)


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
    if totals.get("broken_certificates"):
        warnings.append("an attack broke a certificate: this must not be, report it")
    windows = _windows(target)
    told = {"patch": windows.patch, "windows": windows.count}
    return told | totals | {"warnings": warnings}


def _windows(target: models.Model) -> patch.Windows:
    shape = target.spec.image_shape
    side = patch.patch_side(FLAGS.patch, shape)
    return patch.cover(shape, patch=side, per_axis=FLAGS.windows or None)


def _detector(target: models.Model) -> Partial:
    shape, windows = target.spec.image_shape, _windows(target)
    if FLAGS.method == "scalecert":
        parts = models.split(target, FLAGS.cut)
        return patch.scalecert(parts, windows, keep=FLAGS.keep)
    make = {
        "minority": patch.minority_reports, "patchcleanser": patch.patch_cleanser
    }[FLAGS.method]  # fmt: skip
    return make(models.predictor(target), windows, shape)


def _method(target: models.Model) -> tuple[Partial, Callable]:
    """What is done with each image, and what its record says of it."""
    shape, windows = target.spec.image_shape, _windows(target)
    attack = functools.partial(
        _patch_attacks.chosen_attacks, shape=shape, side=windows.patch
    )
    if FLAGS.method == "patchcleanser":
        size = dict(count=windows.count, budget=_budget(windows.count**2, shape))
        chosen = attack(models.predictor(target))
        return Partial(functools.partial(_recover, **size), chosen), _told_recovery
    detect = functools.partial(_detect, budget=_budget(windows.count, shape))
    confidence = jnp.asarray(FLAGS.confidence, jnp.float32)
    chosen = attack(Partial(_whole, _detector(target)))
    return Partial(detect, chosen, confidence), _told_verdict


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


def _recover(chosen, key, predict, image, label, *, count, budget):
    recover = functools.partial(patch.recover, count=count, budget=budget)
    found = recover(predict, image)

    def judge(attacked):
        return recover(predict, attacked).label, jnp.asarray(False)

    return found, _patch_attacks.attacked(
        key, chosen, judge, predict, image, label, found.label
    )


def _budget(most: int, shape: tuple[int, int, int]) -> int:
    """Windows per pass: as the device likes, but never all in one, for some of them
    need not be asked."""
    if FLAGS.chunk:
        return FLAGS.chunk
    fit = images_per_pass(shape, batch_size=FLAGS.batch_size)
    return math.ceil(most / max(4, math.ceil(most / fit)))


def _told_verdict(
    folder: pathlib.Path, record: data.Record, result: tuple[patch.Verdict, dict]
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
        "predictions": 1 + len(asked),
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
