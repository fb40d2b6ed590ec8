"""What the trained model is worth: a record per evaluation image, and the totals."""

import functools
import math
import os
import pathlib
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.tree_util import Partial

from mspd_jax import drive, runs
from mspd_jax.attacks import resolve_attacks
from mspd_jax.data import Source
from mspd_jax.evaluate import Evaluated, accuracies, evaluate_image
from mspd_jax.models import predictor, save_model
from mspd_jax.runs import read_metrics
from mspd_jax.train._augment import add_noise
from mspd_jax.train._plan import Plan, measuring_key, plan_spec
from mspd_jax.train._run import Trained
from mspd_jax.train._step import trained_model

_KEPT = ("loss", "clean_accuracy", "robust_accuracy")
# A gap of robust accuracy this wide means that training attacked something else.
_COLLAPSE = 0.25
# Images that are measured by one program at once.
_BLOCK = 8


class Examined(NamedTuple):
    """evaluated: the image as it is and under attacks. noisy: prediction under noise,
    int32 [], -1 if not asked for."""

    evaluated: Evaluated
    noisy: jax.Array


def final_records(
    plan: Plan,
    trained: Trained,
    source: Source,
    run: runs.OpenRun,
    *,
    eps: float | None,
    norm: str,
    sigma: float | None,
    hidden: bool = False,
) -> list[str]:
    """Appends a record per image of the source to the run; returns what was unreadable.

    The attack is pgd-10 where eps is given. sigma: also predict under this noise, one
    draw per image. Images that have a record are not computed again.
    """
    attacks = {} if eps is None else resolve_attacks("pgd-10", eps=eps, norm=norm)
    method = Partial(
        _examination(norm),
        attacks=attacks,
        eps=jnp.asarray(eps or 0.0, jnp.float32),
        sigma=None if sigma is None else jnp.asarray(sigma, jnp.float32),
    )
    predict = predictor(trained_model(plan_spec(plan), trained.state))
    describe = functools.partial(_record, sigma=sigma)
    return append_measured(
        plan, source, run, predict=predict, method=method, describe=describe,
        hidden=hidden,
    )  # fmt: skip


def append_measured(
    plan: Plan,
    source: Source,
    run: runs.OpenRun,
    *,
    predict: Callable,
    method: Callable,
    describe: Callable[[drive.Outcome], dict],
    hidden: bool = False,
) -> list[str]:
    """Drives `method` over the images that have no record yet, and appends theirs.

    Returns what was said of each image that could not be read.
    """
    count = jax.process_count()
    batches = drive.drive(
        measuring_key(plan), predict, method, source, skip=run.done, block=_BLOCK,
        batch_size=max(1, plan.batch_size // jax.device_count()),
    )  # fmt: skip
    unreadable = []
    for outcomes in drive.with_progress(
        batches, total=math.ceil(len(source.indices) / count),
        done=len(run.done) // count, description="evaluate", hidden=hidden,
    ):  # fmt: skip
        unreadable += [o.error for o in outcomes if o.error]
        runs.append_records(run, [describe(o) for o in outcomes if not o.error])
    return unreadable


def save_trained(
    path: str | os.PathLike, plan: Plan, trained: Trained, *, origin: dict
) -> None:
    """Saves the trained model with where it comes from; replaces an earlier save."""
    model = trained_model(plan_spec(plan)._replace(origin=origin), trained.state)
    save_model(path, model, overwrite=True)


def final_summary(folder: pathlib.Path, trained: Trained, records: list[dict]) -> dict:
    """The totals of a training: what it cost, how it ended, what the records say."""
    summary = training_totals(folder, trained, records)
    if not records:
        return {**summary, "warnings": []}
    summary |= accuracies(records)
    if "noisy_correct" in records[0]:
        right = sum(record["noisy_correct"] for record in records)
        summary["noisy_accuracy"] = right / len(records)
    robust, attacked = (
        summary.get(f"{kind}robust_accuracy") for kind in ("train_", "")
    )
    if None not in (robust, attacked) and robust - attacked > _COLLAPSE:
        summary["warnings"] = [
            *summary["warnings"],
            f"robust accuracy is {robust:.2f} against the adversary of training but "
            f"{attacked:.2f} against pgd-10: fitted to its examples or attack alone; "
            "try --adversarial=pgd or fewer epochs",
        ]
    return summary


def training_totals(
    folder: pathlib.Path, trained: Trained, records: list[dict]
) -> dict:
    """What a training cost, and the last line of its log."""
    log = read_metrics(folder / "metrics.jsonl")
    last = {f"train_{name}": value for name, value in log[-1].items() if name in _KEPT}
    return {
        "images": trained.images,
        "seconds": trained.seconds,
        "images_per_second": trained.images_per_second,
        "steps": int(trained.state.step),
        **last,
        "eval_images": len(records),
    }


def _examine(key, predict, image, label, *, attacks, eps, sigma, norm) -> Examined:
    noise_key, attack_key = jax.random.split(key)
    evaluated = evaluate_image(
        attack_key, predict, image, label, attacks=attacks, eps=eps, norm=norm
    )
    noisy = jnp.full((), -1, jnp.int32)
    if sigma is not None:
        logits = predict(add_noise(noise_key, image, sigma=sigma))
        noisy = jnp.argmax(logits).astype(jnp.int32)
    return Examined(evaluated, noisy)


@functools.cache
def _examination(norm: str) -> Callable:
    return functools.partial(_examine, norm=norm)


def _record(outcome: drive.Outcome, *, sigma: float | None) -> dict:
    record, (evaluated, noisy) = outcome.record, outcome.result
    fields = {
        "index": record.index,
        "label": record.label,
        "prediction": int(evaluated.prediction),
        "correct": int(evaluated.prediction) == record.label,
        "attacks": {
            name: {"found": bool(v.found), "finite": bool(v.finite)}
            for name, v in evaluated.verdicts.items()
        },
    }
    if sigma is not None:
        fields["noisy_correct"] = int(noisy) == record.label
    return fields
