"""Evaluations of several models at several radii: a run folder each, one summary."""

import functools
import pathlib
from typing import NamedTuple

import jax
from absl import flags

from launch import _job, _verdicts
from mspd_jax import attacks, data, drive, evaluate, models
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
    """One evaluation. path: of the model, as given. eps: as given, None for none."""

    name: str
    path: str
    model: models.Model
    eps: str | None
    radius: float


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
    """Evaluates every target at every radius; returns the exit code.

    One target and one radius fill --out itself. Otherwise each pair has a folder below
    it that is a run of its own, and --out holds a summary of all; more radii or models
    may be asked for later.
    """
    names = dict(zip(targets, _short_names(list(targets)), strict=True))
    pairs = list(radii.items()) or [(None, 0.0)]
    parts = [
        Part(names[path], path, model, *pair)
        for path, model in targets.items()
        for pair in pairs
    ]
    for part in parts:  # bad names are refused before anything is written
        _plan(settings, part)
    out = pathlib.Path(FLAGS.out)
    if len(parts) == 1:
        done = evaluated(settings, parts[0], out, None)
        return _job.finish(done.job, done.summary)
    return _sweep(settings, parts, out)


def _sweep(settings: Settings, parts: list[Part], out: pathlib.Path) -> int:
    identity = _job.identity("evaluate-sweep", {})
    identity["flags"] |= {"eps": None, "target": None, "targets": None}
    _job.open_folder(out, identity)
    code, finished, checks = 0, [], {}
    # The largest radius comes first: its checks count for the smaller ones too.
    for part in sorted(parts, key=lambda part: -part.radius):
        folder = out / part.name / f"eps_{part.eps or 0}".replace("/", "_")
        done = evaluated(settings, part, folder, checks.get(part.name))
        checks.setdefault(part.name, done.checks)
        print(f"{part.name}, eps {part.eps}")
        code = max(code, _job.finish(done.job, done.summary))
        finished.append(done)
    if jax.process_index() == 0:
        finished.sort(key=lambda done: (done.part.path, done.part.radius))
        summary = _sweep_summary(finished)
        drive.write_json(out / "summary.json", summary)
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
    used = {"target": part.model}
    if settings.surrogate is not None:
        used["surrogate"] = settings.surrogate
    identity = _job.identity("evaluate", used)
    own = {"target": part.path, "targets": None, "eps": part.eps}
    identity["flags"] = flags or identity["flags"] | own
    classes = {"num_classes": settings.source.num_classes}
    run = _job.open_folder(out, identity, **classes)
    earlier = _job.finished_summary(run)
    if earlier is not None:
        job = _job.Finished(run, _job.merged(run), {}, [])
        return Done(part, job, earlier, checks)
    index, count = jax.process_index(), jax.process_count()
    journal = evaluate.disk_journal(
        out, process_index=index, process_count=count, wait=_job.barrier
    )
    predict, key = models.predictor(part.model), _job.job_key("evaluate")
    if index > 0:
        checks = []  # one process looks at the model
    elif checks is None:
        checks = evaluate.examine(
            key, predict, settings.source, eps=part.radius or None, norm=settings.norm,
            images=settings.check_images, clean_gate=settings.clean_gate,
        )  # fmt: skip
    keep = functools.partial(_verdicts.keep, out) if settings.save_images else None
    found = evaluate.assess(
        key, predict, settings.source, attack=settings.attack, eps=part.radius,
        norm=settings.norm, batch_size=FLAGS.batch_size, checks=checks, keep=keep,
        surrogate=_surrogate(settings), each_alone=settings.each_alone,
        eight_bit=settings.eight_bit, given=settings.given, journal=journal,
        progress=index == 0,
    )  # fmt: skip
    if index == 0:
        new = [record for record in found.records if record["index"] not in run.done]
        drive.append_records(run, new)
    records = _job.merged(run)
    if index == 0 and not found.unreadable:
        _job.write_summary(_job.Finished(run, records, {}, []), found.summary)
        evaluate.remove_journal(out)
    job = _job.Finished(run, records, {}, found.unreadable)
    return Done(part, job, found.summary, checks)


def _plan(settings: Settings, part: Part) -> None:
    attacks.plan_attacks(
        settings.attack, eps=part.radius, norm=settings.norm,
        num_classes=part.model.spec.num_classes, surrogate=_surrogate(settings),
    )  # fmt: skip


def _surrogate(settings: Settings):
    model = settings.surrogate
    return None if model is None else models.predictor(model)


def _sweep_summary(finished: list[Done]) -> dict:
    """The runs of a sweep side by side, and whether accuracy falls as eps grows."""
    runs = [
        {"target": d.part.name, "eps": d.part.eps, "folder": d.job.run.path.name}
        | {k: v for k, v in d.summary.items() if k not in ("reliability", "warnings")}
        for d in finished
    ]
    warnings = []
    for path in dict.fromkeys(d.part.path for d in finished):
        points = [
            (d.part.radius, d.summary["robust_accuracy"], d.summary["images"])
            for d in finished
            if d.part.path == path and "robust_accuracy" in d.summary
        ]
        told = evaluate.told([evaluate.check_sweep(points)]) if len(points) > 1 else []
        warnings += [f"{pathlib.Path(path).name}: {line}" for line in told]
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
