"""Certificates against patches: detectors, what records say of them, totals."""

import functools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial

from mspd_jax import data, drive, evaluate, models, patch
from mspd_jax.attacks import fixed
from mspd_jax.errors import InputError
from mspd_jax.jobs._certify_attacks import (
    ask_and_attack,
    check_attacks,
    described_attacks,
    patch_attacks,
)
from mspd_jax.jobs._certify_methods import CertifyMachine, PatchCleanser, ScaleCert
from mspd_jax.jobs._frame import Kinds
from mspd_jax.jobs._values import Loaded, check_compatible, image_shape_of, loaded
from mspd_jax.jobs._work import Work

_MOST_PAIRS = 2**20  # of windows, of PatchCleanser


class PatchRecord(NamedTuple):
    """What a detector answers, and the votes of the windows that were asked.

    certified: no patch brings about another class without an alert. correct: right and
    without an alert. predictions: all that were asked for. attacks: by name, the
    prediction and the alert after each attack.
    """

    index: int  # type: ignore[assignment]
    label: int
    prediction: int
    alert: bool
    certified: bool
    correct: bool
    asked: list[int]
    votes: list[int]
    predictions: int
    attacks: dict[str, dict[str, Any]] = {}
    source_digest: str | None = None


class PatchSummary(NamedTuple):
    """Totals; without labels there are no accuracies. See `evaluate.detected_totals`.

    patch: side, in pixels. windows: how many there are.
    """

    images: int
    seconds: float
    images_computed: int
    images_per_second: float | None
    patch: int | None = None
    windows: int | None = None
    certified_accuracy: float | None = None
    certified_interval: list[float] | None = None
    clean_accuracy: float | None = None
    clean_interval: list[float] | None = None
    unguarded_accuracy: float | None = None
    alert_rate: float | None = None
    mean_predictions: float | None = None
    robust_accuracy: float | None = None
    robust_interval: list[float] | None = None
    attacks: dict[str, float] = {}
    undetected: dict[str, float] = {}
    broken_certificates: int | None = None
    warnings: list[str] = []
    compile_seconds: float | None = None


KINDS = Kinds(PatchSummary, PatchRecord)


def patch_work(job: Any, machine: CertifyMachine, source: data.Source) -> Work:
    """What it comes to to ask a detector about every image."""
    method = job.method
    confidence = getattr(method, "confidence", 0.0)
    if not 0.0 <= confidence < 1.0:  # what is not a number passes a flag's bounds
        raise InputError(f"`confidence`={confidence}: expected 0 to below 1")
    check_attacks(method)
    target = loaded(job.target)
    check_compatible(source, {"target": target})
    shape = image_shape_of(target, source)
    windows = patch.cover(
        shape,
        patch=patch.patch_side(str(method.patch), shape),
        per_axis=method.windows or None,
    )
    detector = _detector(method, target, windows)
    block = machine.block or 1
    # As many windows as the device likes, in passes of one size: four at least for
    # ScaleCert, some of whose windows need not be asked.
    fit = drive.images_per_pass(shape, batch_size=block)
    least = 4 if isinstance(method, ScaleCert) else 1
    passes = max(least, math.ceil(windows.count / fit))
    budget = machine.chunk or math.ceil(windows.count / passes)
    if isinstance(method, PatchCleanser):
        ask = Partial(fixed(patch.recover, budget=budget))
        attacked = target.predict
    else:
        threshold = jnp.asarray(confidence, jnp.float32)
        ask = Partial(fixed(patch.detect, budget=budget), confidence=threshold)
        attacked = Partial(_whole, detector)
    attacks = patch_attacks(attacked, method=method, shape=shape, side=windows.patch)
    return Work(
        predict=detector,
        method=Partial(ask_and_attack, ask, attacks),
        source=source,
        image_shape=shape,
        describe=_described,
        summarize=functools.partial(_summarized, windows),
        used={"target": target},
        kinds=KINDS,
        block=block,
        chunk=budget,
    )


def _detector(method: Any, target: Loaded, windows: patch.Windows) -> Any:
    """What is asked about an image."""
    if isinstance(method, PatchCleanser):
        if windows.count**2 > _MOST_PAIRS:
            raise InputError(
                f"{windows.count} windows make too many pairs: take at most "
                f"{math.isqrt(_MOST_PAIRS)}, with `windows` along an axis"
            )
        return patch.patch_cleanser(target.predict, windows)
    if isinstance(method, ScaleCert):
        if target.model is None:
            raise InputError(
                "`method`=scalecert needs a target with a specification: a checkpoint "
                "or a Model"
            )
        parts = models.split(target.model, method.cut)
        return patch.scalecert(parts, windows, keep=method.keep, select=method.select)
    return patch.minority_reports(target.predict, windows)


def _whole(detector, image):
    return detector(image).whole


def _described(
    record: data.Record, result: tuple[patch.Detection | patch.Recovery, dict]
) -> dict:
    """What is said of an image, and the votes of the windows that were asked."""
    found, attacked = result
    if isinstance(found, patch.Recovery):
        alert, asked = False, np.arange(len(found.windows))
        predictions = found.computed
    else:
        alert, asked = bool(found.alert), np.flatnonzero(found.computed)
        predictions = found.predictions
    label = int(found.label)
    return {
        "prediction": label,
        "alert": alert,
        "certified": bool(found.certified),
        "correct": 0 <= label == record.label and not alert,
        "asked": asked.tolist(),
        "votes": found.windows[asked].tolist(),
        "predictions": int(predictions),
        **described_attacks(attacked),
    }


def _summarized(windows: patch.Windows, records: Sequence[dict]) -> dict:
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
