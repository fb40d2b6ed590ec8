"""A model on a data set under attack, and whether the number can be trusted."""

import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import numpy as np

from mspd_jax.attacks import SUITES, Staged, View, eot, plan_attacks
from mspd_jax.data import Source
from mspd_jax.errors import InputError
from mspd_jax.evaluate._accuracy import accuracies
from mspd_jax.evaluate._stages import Threat, run_stages
from mspd_jax.evaluate.checks._attack import check_attack
from mspd_jax.evaluate.checks._check import Check, failed_lines, is_reliable
from mspd_jax.evaluate.checks._constancy import check_constancy
from mspd_jax.evaluate.checks._model import check_model
from mspd_jax.evaluate.checks._programs import subject
from mspd_jax.evaluate.checks._results import check_results
from mspd_jax.runs import Journal, journal_records, memory_journal
from mspd_jax.streams import stream

_GIVEN = "given"


class Assessment(NamedTuple):
    """What came of an evaluation.

    records: one per image, ordered by index. summary: the totals, worst case first,
    with `reliable` (None if nothing was checked) and `warnings`. checks: each
    reliability check with what it measured. examined: those among them that looked at
    the model, and need not again at a smaller eps. unreadable: images left out, and
    why.
    """

    records: list[dict]
    summary: dict
    checks: list[Check]
    examined: list[Check]
    unreadable: list[str]


def assess(
    key: jax.Array,
    predict: Callable,
    source: Source,
    *,
    attack: str,
    eps: float,
    norm: str = "linf",
    block: int = 8,
    batch_size: int = 64,
    surrogate: Callable | None = None,
    views: Mapping[str, View] | None = None,
    claim: str | None = None,
    each_alone: bool = False,
    eight_bit: bool = False,
    precision: str = "float32",
    given: Source | None = None,
    check_images: int = 32,
    clean_gate: float = 0.5,
    checks: list[Check] | None = None,
    journal: Journal | None = None,
    keep: Callable | None = None,
    progress: bool = False,
) -> Assessment:
    """Clean and robust accuracy of `predict` on a source, and checks of the number.

    predict: any function [H, W, C] in [0, 1] -> logits [K]. attack: names as in
    `attacks.plan_attacks`, for example "autoattack"; `surrogate` is needed for those
    that start with `transfer:`, `views` of a defended model for those that start with
    the name of one. claim: the view in which the authors of the defense measured it, ""
    for gradients of the model as it is: the attacks in it run before all others, and
    their worst case stands in the summary as `claimed_accuracy`, beside that of all.
    given: images attacked elsewhere, decided first but for those, under the name
    "given". eps: radius in pixels. block,
    batch_size: see `drive.drive`. eight_bit: judge what an
    8-bit file keeps of an attacked image. precision: that attacks compute in, see
    `models.passes_in`; what they found is decided in float32.
    check_images: how many images the reliability checks look at, 0 for no checks.
    clean_gate: the clean accuracy that the model is known to reach, at the least.
    checks: results of `examine`, if it was run before. journal: where the outcomes are
    kept, so that a killed evaluation goes on. Everything else as in `run_stages`.

    A model has survived the attacks that were run, and no others.
    """
    plan = planned(
        predict,
        source,
        attack=attack,
        eps=eps,
        norm=norm,
        surrogate=surrogate,
        views=views,
        given=given,
    )
    claimed = [
        name
        for name, staged in plan.items()
        if staged.view == claim and (claim or not staged.scores_only)
    ]
    plan = {name: plan[name] for name in [*claimed, *plan]}
    watched = check_images and (checks is None or checks)
    before = subject(predict, *_first(source, check_images)) if watched else None
    if checks is None:
        checks = examine(
            key,
            _averaged(predict, attack, plan, norm),
            source,
            eps=eps,
            norm=norm,
            images=check_images,
            clean_gate=clean_gate,
        )
    examined = checks
    start = time.perf_counter()
    journal = memory_journal() if journal is None else journal
    fresh = not journal.last  # else the time of this start is not that of the whole
    unreadable = run_stages(
        key,
        predict,
        source,
        plan,
        journal,
        threat=Threat(eps, norm, eight_bit, precision),
        keep=keep,
        block=block,
        batch_size=batch_size,
        each_alone=each_alone,
        progress=progress,
    )
    seconds = time.perf_counter() - start
    records = journal_records(journal, plan)
    if checks:
        again = [check_constancy(before)] if before else []
        checks = [*checks, *again, *check_results(records)]
    summary = accuracies(records, list(plan), each_alone=each_alone, claimed=claimed)
    summary = {
        "images": len(records),
        "seconds": round(seconds, 3),
        "images_per_second": round(len(records) / seconds, 3) if fresh else None,
        **summary,
        "reliable": is_reliable(checks) if checks else None,
        "reliability": [check._asdict() for check in checks],
        "warnings": summary["warnings"] + _unaware(plan, claim) + failed_lines(checks),
    }
    return Assessment(records, summary, checks, examined, unreadable)


def run_checks(
    key: jax.Array,
    predict: Callable,
    source: Source,
    plan: Mapping[str, Staged],
    *,
    attack: str,
    eps: float,
    norm: str,
    images: int,
) -> None:
    """Looks at the model as `assess` does, so that what this takes is compiled.

    plan: the attacks, as `planned` gives them. images: how many.
    """
    before = subject(predict, *_first(source, images))
    averaged = _averaged(predict, attack, plan, norm)
    examine(key, averaged, source, eps=eps, norm=norm, images=images)
    check_constancy(before)


def _averaged(predict, attack, plan, norm):
    """What the checks look at: the mean of draws where attacks average them."""
    if "-rand" in attack or any(a.view == "eot" for a in plan.values()):
        return eot(predict, draws=SUITES["autoattack-rand"](norm).draws)
    return predict


def planned(
    predict: Callable,
    source: Source,
    *,
    attack: str,
    eps: float,
    norm: str,
    surrogate: Callable | None,
    views: Mapping[str, View] | None,
    given: Source | None,
) -> dict[str, Staged]:
    """The attacks of an assessment by name, with the images attacked elsewhere."""
    plan = plan_attacks(
        attack,
        eps=eps,
        norm=norm,
        num_classes=num_classes(predict, source),
        surrogate=surrogate,
        views=views,
    )
    if given is not None:
        plan = {_GIVEN: Staged((), True, _GIVEN, given), **plan}
    return plan


def _unaware(plan: Mapping[str, Staged], claim: str | None) -> list[str]:
    """A line if no attack on a defended model follows a gradient of the defense."""
    knowing = [
        a
        for a in plan.values()
        if not a.scores_only and a.view not in ("static", "transfer", _GIVEN)
    ]
    if claim is None or not plan or any(a.view or claim for a in knowing):
        return []
    return [
        "no attack of this run adapts to the defense: the robust accuracy is that of "
        "attackers who do not know of it"
    ]


def examine(
    key: jax.Array,
    predict: Callable,
    source: Source,
    *,
    eps: float | None,
    norm: str,
    images: int = 32,
    clean_gate: float = 0.5,
) -> list[Check]:
    """The checks of a model, and of attacks on it, on the first readable images.

    eps=None leaves out the attacks.
    """
    if not images:
        return []
    batch = _first(source, images)
    checks = check_model(
        stream(key, "check_model"), predict, *batch, clean_gate=clean_gate
    )
    if eps:
        checks += check_attack(
            stream(key, "check_attack"), predict, *batch, eps=eps, norm=norm
        )
    return checks


def num_classes(predict: Callable, source: Source) -> int:
    """How many logits `predict` gives; InputError if it gives anything else."""
    image = _first(source, 1)[0][0]
    logits = jax.eval_shape(predict, image)
    if getattr(logits, "ndim", None) != 1:
        shape = getattr(logits, "shape", type(logits).__name__)
        raise InputError(
            f"a model maps one image [H, W, C] to logits [K]; for an image of shape "
            f"{image.shape} it gave {shape}; wrap a model of batches in "
            "models.from_batched"
        )
    if source.max_label >= logits.shape[0]:
        raise InputError(
            f"source {source.spec!r} has labels up to {source.max_label}, the model "
            f"gives {logits.shape[0]} logits"
        )
    return logits.shape[0]


def _first(source: Source, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Up to `count` readable images and their labels; at least one."""
    records = []
    for position in range(len(source.indices)):
        try:
            records.append(source.read(position))
        except InputError:
            continue
        if len(records) == count:
            break
    if not records:
        raise InputError(f"source {source.spec!r} holds no readable image")
    return (
        np.stack([r.image for r in records]),
        np.asarray([r.label for r in records], np.int32),
    )
