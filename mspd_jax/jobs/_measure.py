"""The run of an evaluation: what its fields name, its stages, its folder."""

import functools
import pathlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from mspd_jax import attacks, data, defenses, drive, evaluate, models, runs
from mspd_jax.errors import InputError
from mspd_jax.jobs._defended import attacks_on, chain_of, defended, misfits
from mspd_jax.jobs._evaluation import EvaluateRecord, EvaluateSummary
from mspd_jax.jobs._frame import (
    Kinds,
    compile_time,
    earlier,
    finished,
    merged,
    open_folder,
    sealed,
)
from mspd_jax.jobs._machine import Machine
from mspd_jax.jobs._result import Result
from mspd_jax.jobs._values import (
    Loaded,
    check_compatible,
    held_model,
    image_shape_of,
    loaded,
    opened,
    radius_of,
    weights_of,
)
from mspd_jax.streams import stream

_KINDS = Kinds(EvaluateSummary, EvaluateRecord)


class Inputs(NamedTuple):
    """What the fields of an evaluation name, loaded and checked against each other.

    radius: 0 where there is no attack. given: images attacked elsewhere. behind: the
    target behind its defenses, None for none. attacks: as the target is to meet them.
    """

    target: Loaded
    surrogate: Loaded | None
    source: data.Source
    given: data.Source | None
    radius: float
    behind: defenses.Defended | None
    attacks: str


def load_inputs(job: Any, read: Callable = loaded, defend=defended) -> Inputs:
    """Loads what the fields name; refuses what does not fit; writes nothing.

    read, defend: `loaded` and `defended`, or what remembers what they returned.
    """
    radius = 0.0
    if job.eps is not None:
        radius = radius_of(job.eps, job.norm)
    elif job.attack != "none":
        raise InputError(f"`attack`={job.attack} needs `eps`, for example `eps`=8/255")
    target = read(job.target)
    surrogate = None if job.surrogate is None else read(job.surrogate)
    source = opened(job.source, data_dir=job.data_dir, limit=job.limit, shard=job.shard)
    if not source.labelled:
        raise InputError(f"`source`={source.spec} has no labels to compare with")
    given = job.adversarial and opened(job.adversarial, data_dir=job.data_dir)
    used = {"target": target, **({"surrogate": surrogate} if surrogate else {})}
    check_compatible(source, used)
    for model in used.values():
        shape = image_shape_of(model, source)
        models.check_precision(model.predict, job.precision, image_shape=shape)
    behind = defend(
        target,
        chain_of(job.purify, job.defense),
        image_shape=image_shape_of(target, source),
        seed=job.seed,
    )
    names = attacks_on(
        behind,
        job.attack,
        job.norm,
        adaptive=job.adaptive,
        transfers=surrogate is not None,
    )
    attacks.plan_attacks(  # refuses bad names before anything is written
        names,
        eps=radius,
        norm=job.norm,
        num_classes=evaluate.num_classes(target.predict, source),
        surrogate=surrogate and surrogate.predict,
        views=behind and behind.views,
    )
    return Inputs(target, surrogate, source, given or None, radius, behind, names)


def measured(
    job: Any,
    out: str | pathlib.PurePath,
    machine: Machine,
    inputs: Inputs,
    checks: list[evaluate.Check] | None = None,
) -> tuple[Result, list[evaluate.Check] | None]:
    """Evaluates in the run folder `out`, or goes on with what is there.

    checks: what was found of the model before, at a larger radius.

    Returns the result, and what was found of the model itself, which holds for smaller
    radii too; None where nothing was looked at.
    """
    behind, here, compiled = inputs.behind, drive.here(), drive.compile_seconds()
    block = block_of(machine, inputs)
    # Of all images that the result rests on: they may change where they lie.
    sources = {"source": inputs.source, "adversarial": inputs.given}
    folder = open_folder(
        job,
        out,
        machine,
        used=_used(inputs),
        source=inputs.source,
        data={name: s.fingerprint for name, s in sources.items() if s is not None},
        block=block,
    )
    # Until nothing is left to do the journal lies beside the totals.
    if runs.is_summed_up(folder.path) and not runs.has_journal(folder.path):
        return earlier(folder, _KINDS), checks
    journal = runs.disk_journal(
        folder.path,
        process_index=here.process,
        process_count=here.processes,
        wait=drive.barrier,
    )
    found = evaluate.assess(
        stream(job.seed, "evaluate"),
        attacked_by(inputs),
        inputs.source,
        attack=inputs.attacks,
        eps=inputs.radius,
        norm=job.norm,
        block=block,
        batch_size=machine.batch_size,
        keep=functools.partial(_keep, folder.path) if job.save_images else None,
        surrogate=inputs.surrogate and inputs.surrogate.predict,
        views=behind and behind.views,
        claim=behind and behind.claim,
        each_alone=job.each_alone,
        eight_bit=job.eight_bit,
        precision=job.precision,
        given=inputs.given,
        check_images=job.check_images,
        clean_gate=job.clean_gate,
        journal=journal,
        progress=here.process == 0,
        checks=checks if here.process == 0 else [],  # one process looks at the model
    )
    result = _kept(
        folder,
        found,
        inputs,
        compile_time(compiled),
        whole=job.shard is None,
    )
    return result, found.examined


def attacked_by(inputs: Inputs) -> Callable:
    """The model as attacks meet it."""
    return inputs.behind.predict if inputs.behind else inputs.target.predict


def block_of(machine: Machine, inputs: Inputs) -> int:
    """Images that one program computes."""
    shape = image_shape_of(inputs.target, inputs.source)
    return machine.block or drive.images_per_block(
        shape, weights=weights_of(inputs.target)
    )


def _kept(
    folder: runs.OpenRun,
    found: evaluate.Assessment,
    inputs: Inputs,
    more: dict,
    *,
    whole: bool,
) -> Result:
    """Writes records and totals, and removes the journal that they are made of.

    more: further fields of the totals. whole: a part of a run keeps its journal: the
    whole is made of the notes of its parts.
    """
    behind = inputs.behind
    note = {"defense": behind.text} if behind else {}
    if drive.here().process == 0:
        new = [r | note for r in found.records if r["index"] not in folder.done]
        runs.append_records(folder, new)
    records = merged(folder)
    if records is None:
        return Result(folder.path, None, (), tuple(found.unreadable))
    summary = note | found.summary | more | _published(inputs.target)
    summary["warnings"] = summary["warnings"] + misfits(behind, inputs.target)
    result = finished(folder.path, records, summary, found.unreadable, _KINDS)
    if whole and not found.unreadable:
        runs.remove_journal(folder.path)
    sealed(folder.path, found.unreadable)
    return result


def _published(target: Loaded) -> dict[str, Any]:
    """What was published of the target, where it is a model of the table."""
    origin = target.model.spec.origin if target.model is not None else {}
    rows = {row.name: row for row in models.published_models()}
    row = rows.get(origin.get("published", ""))
    figures = ("name", "clean", "robust", "threat", "eps")
    return {"published": {n: getattr(row, n) for n in figures}} if row else {}


def _used(inputs: Inputs) -> dict[str, Loaded]:
    """The models by role."""
    used = {"target": inputs.target}
    for role, model in (inputs.behind.used if inputs.behind else {}).items():
        used[role] = held_model(model, role)
    if inputs.surrogate is not None:
        used["surrogate"] = inputs.surrogate
    return used


def _keep(
    folder: pathlib.PurePath,
    attack: str,
    record: data.Record,
    verdict: evaluate.Verdict,
) -> dict:
    """Writes an attacked image below `folder`; what its record says of it.

    The PNG is for looking at: it is rounded to 8 bits, the verdict is about the image
    before.
    """
    place = attack.replace(":", "_")
    file = pathlib.PurePosixPath("adversarial", place, record.name)
    pixels = np.rint(np.asarray(verdict.image) * 255).astype(np.uint8)
    data.write_png(folder / file, pixels)
    return {"file": str(file)}
