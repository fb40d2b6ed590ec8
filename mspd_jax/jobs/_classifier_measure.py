"""What a trained classifier is worth: clean, under attack, and under noise."""

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.tree_util import Partial

from mspd_jax import attacks, data, drive, evaluate, models, runs, train
from mspd_jax.jobs._measure_images import (
    BLOCK,
    images_at_once,
    measure_images,
    measuring_key,
    measuring_program,
)
from mspd_jax.streams import stream

# What a trained classifier is attacked with.
_ATTACK = "pgd-10"
# A gap of robust accuracy this wide means that training attacked something else.
_COLLAPSE = 0.25
_NOISE = "noise"


def measure(
    job: Any,
    eps: float | None,
    model: models.Model,
    source: data.Source,
    folder: runs.OpenRun,
) -> list[str]:
    """Appends a record per image: as it is, attacked within eps, and under noise.

    Returns what was said of each image that could not be read.
    """
    if folder.done.issuperset(source.indices.tolist()):
        return []
    here = drive.here()
    predict = models.predictor(model)
    plan = _plan(job, eps, model)
    journal = runs.disk_journal(
        folder.path,
        process_index=here.process,
        process_count=here.processes,
        wait=drive.barrier,
    )
    unreadable = evaluate.run_stages(
        measuring_key(job),
        predict,
        source,
        plan,
        journal,
        threat=evaluate.Threat(eps or 0.0, job.norm),
        block=BLOCK,
        batch_size=images_at_once(job),
        progress=here.process == 0,
    )
    if job.noise:
        unreadable += measure_images(
            stream(job.seed, "measure_noise"),
            job,
            source,
            predict,
            _noisy(job),
            done=runs.done_in(journal, _NOISE, 0),
            write=functools.partial(runs.note, journal, _NOISE, 0),
        )
        runs.share(journal)
    records = [
        _record(record, list(plan), journal.last.get(_NOISE))
        for record in runs.journal_records(journal, plan)
    ]
    if here.process == 0:
        new = [record for record in records if record["index"] not in folder.done]
        runs.append_records(folder, new)
    drive.barrier()
    if here.process == 0:
        runs.remove_journal(folder.path)
    return list(dict.fromkeys(unreadable))


def measuring_programs(
    job: Any, eps: float | None, model: models.Model
) -> list[drive.Program]:
    """What `measure` has compiled."""
    predict, shape = models.predictor(model), model.spec.image_shape
    found = evaluate.stage_programs(
        measuring_key(job),
        predict,
        _plan(job, eps, model),
        image_shape=shape,
        threat=evaluate.Threat(eps or 0.0, job.norm),
        block=BLOCK,
    )
    if job.noise:
        found.append(measuring_program(job, predict, _noisy(job), shape))
    return found


def _plan(job, eps, model) -> dict[str, attacks.Staged]:
    return attacks.plan_attacks(
        "none" if eps is None else _ATTACK,
        eps=eps or 0.0,
        norm=job.norm,
        num_classes=model.spec.num_classes,
    )


def _noisy(job) -> Partial:
    return Partial(_under_noise, sigma=jnp.asarray(job.noise, jnp.float32))


def _record(record: dict, names: list[str], noisy: dict[int, dict] | None) -> dict:
    """The record of an image; one that is wrong as it is no attack has to meet."""
    wrong = {"found": True, "finite": record["prediction"] >= 0}
    met = {name: record["attacks"].get(name, wrong) for name in names}
    attacked = {n: {k: m[k] for k in ("found", "finite")} for n, m in met.items()}
    record = {**record, "attacks": attacked}
    if noisy is not None:
        record["noisy_correct"] = noisy[record["index"]]["correct"]
    return record


def _under_noise(key, predict, image, label, *, sigma) -> dict[str, jax.Array]:
    noisy = train.add_noise(key, image, sigma=sigma)
    return {"correct": jnp.argmax(predict(noisy)) == label}


def summarize(totals: dict[str, Any], records: Sequence[dict]) -> dict[str, Any]:
    """What it cost, how it ended, what the records say."""
    if not records:
        return {**totals, "warnings": []}
    summary = totals | evaluate.accuracies(records)
    if "noisy_correct" in records[0]:
        right = sum(record["noisy_correct"] for record in records)
        summary["noisy_accuracy"] = right / len(records)
    seen = {record["prediction"] for record in records}
    if len(seen) == 1 and len({record["label"] for record in records}) > 1:
        summary["warnings"] = [
            *summary["warnings"],
            f"the model sees class {seen.pop()} in all {len(records)} images: it has "
            "learned nothing; try more `epochs` or another `learning_rate`",
        ]
    robust, attacked = (
        summary.get(f"{kind}robust_accuracy") for kind in ("train_", "")
    )
    if robust is not None and attacked is not None and robust - attacked > _COLLAPSE:
        summary["warnings"] = [
            *summary["warnings"],
            f"robust accuracy is {robust:.2f} against the adversary of training but "
            f"{attacked:.2f} against {_ATTACK}: fitted to its examples or attack "
            "alone; try `adversarial`=pgd or fewer epochs",
        ]
    return summary
