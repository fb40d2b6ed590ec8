"""Certificates against patches: detectors, what records say of them, totals."""

import functools
import math
import pathlib
from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial

from mspd_jax import data, drive, evaluate, models, patch
from mspd_jax.errors import InputError
from mspd_jax.jobs._certification import PatchRecord, PatchSummary
from mspd_jax.jobs._certify_attacks import (
    after_attacks,
    check_attacks,
    described_attacks,
    patch_attacks,
)
from mspd_jax.jobs._certify_methods import (
    CertifyMachine,
    Minority,
    PatchCleanser,
    ScaleCert,
)
from mspd_jax.jobs._frame import Kinds, run_over_images
from mspd_jax.jobs._result import Result
from mspd_jax.jobs._values import Loaded, check_compatible, image_shape_of, loaded

KINDS = Kinds(PatchSummary, PatchRecord)
_MOST_PAIRS = 2**20  # of windows, of PatchCleanser


class _Plan(NamedTuple):
    """What is asked about an image, how, what its record says of the answer, and how
    many windows at once."""

    detector: Any
    method: Partial
    describe: Callable
    budget: int


def certify_patches(
    job: Any, out: str | pathlib.Path, machine: CertifyMachine, source: data.Source
) -> Result:
    """Asks a detector about every image."""
    confidence = getattr(job.method, "confidence", 0.0)
    if not 0.0 <= confidence < 1.0:  # what is not a number passes a flag's bounds
        raise InputError(f"`confidence`={confidence}: expected 0 to below 1")
    check_attacks(job.method)
    target = loaded(job.target)
    check_compatible(source, {"target": target})
    shape = image_shape_of(target, source)
    windows = patch.cover(
        shape,
        patch=patch.patch_side(str(job.method.patch), shape),
        per_axis=job.method.windows or None,
    )
    plan = _planned(job.method, target, windows, shape, machine)
    return run_over_images(
        job,
        out,
        machine,
        predict=plan.detector,
        method=plan.method,
        source=source,
        describe=plan.describe,
        summarize=functools.partial(_summarized, windows),
        used={"target": target},
        kinds=KINDS,
        block=machine.block or 1,
        chunk=plan.budget,
    )


def _planned(
    method: Minority | PatchCleanser,
    target: Loaded,
    windows: patch.Windows,
    shape: tuple[int, int, int],
    machine: CertifyMachine,
) -> _Plan:
    chosen = functools.partial(
        patch_attacks, method=method, shape=shape, side=windows.patch
    )
    if isinstance(method, PatchCleanser):
        if windows.count**2 > _MOST_PAIRS:
            raise InputError(
                f"{windows.count} windows make too many pairs: take at most "
                f"{math.isqrt(_MOST_PAIRS)}, with `windows` along an axis"
            )
        budget = _budget(machine, windows.count, shape)
        recover = functools.partial(_recover, budget=budget)
        pairs = patch.patch_cleanser(target.predict, windows)
        attacks = chosen(target.predict)
        return _Plan(pairs, Partial(recover, attacks), _described_recovery, budget)
    passes = 1
    if isinstance(method, ScaleCert):
        if target.model is None:
            raise InputError(
                "`method`=scalecert needs a target with a specification: a checkpoint "
                "or a Model"
            )
        parts = models.split(target.model, method.cut)
        detector = patch.scalecert(parts, windows, keep=method.keep)
        passes = 4  # or more, as some windows need not be asked
    else:
        detector = patch.minority_reports(target.predict, windows)
    budget = _budget(machine, windows.count, shape, passes)
    detect = functools.partial(_detect, budget=budget)
    confidence = jnp.asarray(method.confidence, jnp.float32)
    attacks = chosen(Partial(_whole, detector))
    bound = Partial(detect, attacks, confidence)
    return _Plan(detector, bound, _described_detection, budget)


def _whole(detector, image):
    return detector(image).whole


def _detect(chosen, confidence, key, predict, image, label, *, budget):
    detect = functools.partial(patch.detect, budget=budget, confidence=confidence)
    detection = detect(predict, image)

    def decide(attacked):
        found = detect(predict, attacked)
        return found.label, found.alert

    return detection, after_attacks(
        key, chosen, decide, predict, image, label, detection.label
    )


def _recover(chosen, key, predict, image, label, *, budget):
    recover = functools.partial(patch.recover, budget=budget)
    found = recover(predict, image)

    def decide(attacked):
        return recover(predict, attacked).label, jnp.asarray(False)

    return found, after_attacks(key, chosen, decide, predict, image, label, found.label)


def _budget(
    machine: CertifyMachine,
    most: int,
    shape: tuple[int, int, int],
    passes: int = 1,
) -> int:
    """Windows per pass: as the device likes, in at least so many passes of one size."""
    if machine.chunk:
        return machine.chunk
    fit = drive.images_per_pass(shape, batch_size=machine.block or 1)
    return math.ceil(most / max(passes, math.ceil(most / fit)))


def _described_detection(
    folder: pathlib.Path, record: data.Record, result: tuple[patch.Detection, dict]
) -> dict:
    """What a detector says of an image, and the votes of the windows it asked."""
    del folder
    detection, attacked = result
    asked = np.flatnonzero(detection.computed)
    label, alert = int(detection.label), bool(detection.alert)
    return {
        "prediction": label,
        "alert": alert,
        "certified": bool(detection.certified),
        "correct": 0 <= label == record.label and not alert,
        "asked": asked.tolist(),
        "votes": detection.windows[asked].tolist(),
        "predictions": int(detection.predictions),
        **described_attacks(attacked),
    }


def _described_recovery(
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
        **described_attacks(attacked),
    }


def _summarized(windows: patch.Windows, records: list[dict]) -> dict:
    """The totals; without labels there are no accuracies."""
    totals = evaluate.detected_totals(records)
    warnings = []
    if any(record["label"] < 0 for record in records):
        of_labels = ("_accuracy", "_interval", "attacks", "undetected")
        totals = {k: v for k, v in totals.items() if not k.endswith(of_labels)}
        warnings.append("without labels there is no accuracy")
    if totals.get("broken_certificates"):
        warnings.append("an attack broke a certificate: this must not be, report it")
    sizes = {"patch": windows.patch, "windows": windows.count}
    return sizes | totals | {"warnings": warnings}
