"""Evaluations of several models and radii: a run folder each, one summary of all."""

import functools
import os
import pathlib
from typing import NamedTuple

import jax
from absl import flags

from launch import _defended, _job, _verdicts
from launch._passes import images_per_block
from mspd_jax import attacks, data, defenses, evaluate, models, runs
from mspd_jax.errors import InputError

FLAGS = flags.FLAGS


class Settings(NamedTuple):
    """What all evaluations of a survey share: images, surrogate, and flags."""

    source: data.Source
    surrogate: models.Model | None
    attack: str
    norm: str
    each_alone: bool
    eight_bit: bool
    given: data.Source | None
    check_images: int
    clean_gate: float
    save_images: bool


class Part(NamedTuple):
    """One evaluation. path: of the model, as given. eps, purifier: as given, None for
    none. defended: the model behind its defences, None without any."""

    name: str
    path: str
    model: models.Model
    eps: str | None
    radius: float
    purifier: str | None = None
    defended: defenses.Defended | None = None


class Done(NamedTuple):
    """A finished evaluation."""

    part: Part
    job: _job.Finished
    summary: dict
    checks: list[evaluate.Check] | None


def load_targets(one: str | None, several: list[str] | None) -> dict[str, models.Model]:
    """The models to judge, by their paths as given."""
    if (one is None) == (several is None):
        raise InputError("name the model with --target, or several with --targets=A,B")
    paths = [one] if several is None else [path.strip() for path in several]
    if len(set(paths)) < len(paths):
        raise InputError(f"--targets={','.join(paths)} names a model twice")
    return {path: models.load_model(path) for path in paths}


def survey(
    settings: Settings, targets: dict[str, models.Model], radii: dict[str, float]
) -> int:
    """Evaluates every target behind every purifier at every radius; the exit code.

    One of each fills --out itself. Otherwise each combination has a folder below it
    that is a run of its own, and --out holds a summary of all; more radii, purifiers or
    models may be asked for later.
    """
    names = dict(zip(targets, _short_names(list(targets)), strict=True))
    chains = _defended.chains()
    behind = _defended.defend_each(targets, list(chains.values()))
    parts = [
        Part(names[path], path, model, *pair, purifier, behind[path, chain])
        for path, model in targets.items()
        for purifier, chain in chains.items()
        for pair in list(radii.items()) or [(None, 0.0)]
    ]
    for part in parts:  # bad names are refused before anything is written
        _plan(settings, part)
    out = pathlib.Path(FLAGS.out)
    if len(parts) == 1:
        done = evaluated(settings, parts[0], out, None)
        return _job.tell(done.job, done.summary)
    return _sweep(settings, parts, out)


def _sweep(settings: Settings, parts: list[Part], out: pathlib.Path) -> int:
    identity = _job.identity("evaluate-sweep", {})
    free = {"eps": None, "target": None, "targets": None}
    identity["flags"] = _defended.own_flags(identity["flags"], None) | free
    if FLAGS.purify is not None:  # else there may be no defence for it to matter
        identity["flags"]["adaptive"] = FLAGS.adaptive
    _job.open_folder(out, identity)
    purifiers = _defended.folder_names([part.purifier for part in parts])
    code, finished, checks = 0, [], {}
    # The largest radius comes first: its checks count for the smaller ones too.
    for part in sorted(parts, key=lambda part: -part.radius):
        model = out / part.name / purifiers[part.purifier]
        folder = model / f"eps_{part.eps or 0}".replace("/", "_")
        kind = part.path, part.purifier
        done = evaluated(settings, part, folder, checks.get(kind))
        checks.setdefault(kind, done.checks)
        print(", ".join(filter(None, [part.name, part.purifier, f"eps {part.eps}"])))
        code = max(code, _job.tell(done.job, done.summary))
        finished.append(done)
    if jax.process_index() == 0:
        places = {purifier: place for place, purifier in enumerate(purifiers)}
        finished.sort(
            key=lambda d: (d.part.path, places[d.part.purifier], d.part.radius)
        )
        summary = _sweep_summary(finished, out)
        runs.write_json(out / "summary.json", summary)
        for warning in summary["warnings"]:
            print(f"warning: {warning}")
    return code


def evaluated(
    settings: Settings, part: Part, out: pathlib.Path,
    checks: list[evaluate.Check] | None = None, **flags,
) -> Done:  # fmt: skip
    """Evaluates one model at one radius in the run folder `out`, or goes on with it.

    checks: what was found of the model before. flags: those that the folder is to hold,
    where they are not the main's own.
    """
    defended = part.defended
    used = {"target": part.model, **(defended.used if defended else {})}
    if settings.surrogate is not None:
        used["surrogate"] = settings.surrogate
    block = FLAGS.block or images_per_block(part.model)
    identity = _job.identity("evaluate", used) | {"block": block}
    own = {"target": part.path, "targets": None, "eps": part.eps}
    identity["flags"] = flags or (
        _defended.own_flags(identity["flags"], part.purifier) | own
    )
    classes = {"num_classes": settings.source.num_classes}
    run = _job.open_folder(out, identity, **classes)
    earlier = _job.finished_summary(run)
    if earlier is not None:
        job = _job.Finished(run, _job.merged(run), {}, [])
        return Done(part, job, earlier, checks)
    index, count = jax.process_index(), jax.process_count()
    journal = runs.disk_journal(
        out, process_index=index, process_count=count, wait=_job.barrier
    )
    keep = functools.partial(_verdicts.keep, out) if settings.save_images else None
    found = evaluate.assess(
        _job.job_key("evaluate"), _predict(part), settings.source,
        attack=_attacks(settings, part), eps=part.radius, norm=settings.norm,
        block=block, batch_size=FLAGS.batch_size, keep=keep,
        surrogate=_surrogate(settings),
        views=defended and defended.views, claim=defended and defended.claim,
        each_alone=settings.each_alone, eight_bit=settings.eight_bit,
        given=settings.given, check_images=settings.check_images,
        clean_gate=settings.clean_gate, journal=journal, progress=index == 0,
        checks=checks if index == 0 else [],  # one process looks at the model
    )  # fmt: skip
    told = {"defense": defended.text} if defended else {}
    if index == 0:
        new = [r | told for r in found.records if r["index"] not in run.done]
        runs.append_records(run, new)
    job = _job.Finished(run, _job.merged(run), {}, found.unreadable)
    summary = told | found.summary
    summary["warnings"] = summary["warnings"] + _defended.misfits(defended, part.model)
    if index == 0:
        summary = _job.write_summary(job, summary)
        if not found.unreadable:
            runs.remove_journal(out)
    return Done(part, job, summary, found.examined)


def _predict(part: Part):
    return part.defended.predict if part.defended else models.predictor(part.model)


def _attacks(settings: Settings, part: Part) -> str:
    return _defended.attacks_on(
        part.defended, settings.attack, settings.norm,
        transfers=settings.surrogate is not None,
    )  # fmt: skip


def _plan(settings: Settings, part: Part) -> None:
    attacks.plan_attacks(
        _attacks(settings, part), eps=part.radius, norm=settings.norm,
        num_classes=part.model.spec.num_classes, surrogate=_surrogate(settings),
        views=part.defended and part.defended.views,
    )  # fmt: skip


def _surrogate(settings: Settings):
    model = settings.surrogate
    return None if model is None else models.predictor(model)


def _sweep_summary(finished: list[Done], out: pathlib.Path) -> dict:
    """The runs of a sweep side by side, and whether accuracy falls as eps grows."""
    runs, kinds = [], {}
    for done in finished:
        part, told = done.part, {"target": done.part.name}
        if part.purifier is not None:
            told["purify"] = part.purifier
        told |= {"eps": part.eps, "folder": os.path.relpath(done.job.run.path, out)}
        hidden = ("reliability", "warnings")
        runs.append(told | {k: v for k, v in done.summary.items() if k not in hidden})
        kinds.setdefault((part.path, part.purifier), []).append(done)
    warnings = []
    for (path, purifier), group in kinds.items():
        points = [
            (d.part.radius, d.summary["robust_accuracy"], d.summary["images"])
            for d in group
            if "robust_accuracy" in d.summary
        ]
        told = (
            evaluate.failed_lines([evaluate.check_sweep(points)])
            if len(points) > 1
            else []
        )
        kind = ", ".join(filter(None, [pathlib.Path(path).name, purifier]))
        warnings += [f"{kind}: {line}" for line in told]
    return {"runs": runs, "warnings": warnings}


def _short_names(paths: list[str]) -> list[str]:
    """Last parts of the paths, numbered where two are equal."""
    ends = [pathlib.Path(path).name for path in paths]
    ends = [
        pathlib.Path(path).parent.name if end == "model" else end
        for path, end in zip(paths, ends, strict=True)
    ]
    return [
        end if ends.count(end) == 1 else f"{end}-{place}"
        for place, end in enumerate(ends)
    ]
