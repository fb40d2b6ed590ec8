"""The frame of the jobs that train: data, the run on disk, what it has come to.

A trained model is measured by `mspd_jax.evaluate`, or by the driver where a record is
about something else than attacks.
"""

import functools
import json
import math
import pathlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax

from mspd_jax import data, drive, models, runs, train
from mspd_jax.errors import InputError
from mspd_jax.jobs._frame import Kinds, finished, merged, open_folder, result_of
from mspd_jax.jobs._identity import identity
from mspd_jax.jobs._result import Result
from mspd_jax.jobs._training_fields import Training, TrainingMachine
from mspd_jax.jobs._values import held_model
from mspd_jax.streams import stream

# Images that are measured by one program at once.
BLOCK = 8
_LOGGED = ("loss", "clean_accuracy", "robust_accuracy")


class Data(NamedTuple):
    """examples: to train on. evaluation: to measure on, None for none. fingerprints:
    of the sources, by field."""

    examples: train.Examples
    evaluation: data.Source | None
    fingerprints: dict[str, str | list[str]]


def load_data(job: Training, *, labeled: bool = True) -> Data:
    """The images that the fields name."""
    opened = functools.partial(
        train.open_sources, data_dir=job.data_dir, labeled=labeled
    )
    sources = opened(job.source, limit=job.limit)
    known: dict[str, str | list[str]] = {"source": [s.fingerprint for s in sources]}
    evaluation = None
    if job.eval_source is not None:
        evaluation, *_ = opened(job.eval_source, limit=job.eval_limit)
        known["eval_source"] = evaluation.fingerprint
    return Data(train.load_examples(sources, labeled=labeled), evaluation, known)


def load_start(
    job: Training, examples: train.Examples, more: Mapping[str, Any] | None = None
) -> models.ModelSpec | models.Model:
    """Where the fields say to start; more: options of a new network besides theirs."""
    init = loaded_model(job.init, "init") if job.init else None
    options = {**options_of_network(job.arch_options), **(more or {})}
    return train.start_of(examples, init=init, arch=job.arch, arch_options=options)


def options_of_network(text: str | Mapping[str, Any]) -> Mapping[str, Any]:
    """The options of a network, as JSON or as a dictionary."""
    if isinstance(text, Mapping):
        return text
    try:
        options = json.loads(text)
    except ValueError:
        options = None
    if not isinstance(options, dict):
        raise InputError(f"`arch_options`={text}: expected a JSON object")
    return options


def loaded_model(value: Any, field: str) -> models.Model:
    """The model with a specification that a field names, or is."""
    if isinstance(value, str):
        return models.load_model(value)
    if isinstance(value, models.Model):
        return value
    raise InputError(
        f"`{field}`: expected a checkpoint folder, a name or a Model, not a "
        f"{type(value).__name__}"
    )


def measuring_key(job: Training) -> jax.Array:
    """What the measuring of a trained model draws from."""
    return stream(job.seed, "measure")


def images_at_once(job: Training) -> int:
    """Images per device between two writes, when the trained model is measured."""
    return max(1, job.batch_size // drive.here().devices)


def run_training(
    job: Training,
    out: str | pathlib.Path,
    machine: TrainingMachine | None,
    *,
    plan: train.TrainingPlan,
    content: Data,
    measure: Callable[[models.Model, data.Source, runs.OpenRun], list[str]],
    summarize: Callable[[dict[str, Any], list[dict]], dict[str, Any]],
    kinds: Kinds,
    num_classes: int | None,
    used: dict[str, models.Model] | None = None,
    origin: dict[str, Any] | None = None,
) -> Result:
    """Trains in the run folder `out`, measures the model, and saves it.

    Args:
      plan, content: what to train, on what.
      measure: (trained model, source, folder) -> what could not be read; appends the
        records of the images.
      summarize: (totals, records) -> totals; there may be no records.
      kinds: the types of summary and records.
      num_classes: that the images to measure on must have, None for any.
      used: the models that the training looks at, by role; the one that it starts from
        is added.
      origin: what the checkpoint is to say of itself, besides the identity of the run
        and its totals.
    """
    machine, here = machine or job.MACHINE, drive.here()
    held = {role: held_model(model, role) for role, model in (used or {}).items()}
    if isinstance(plan.start, models.Model):
        held["init"] = held_model(plan.start, "init")
    spec = train.plan_spec(plan)
    if content.evaluation is not None:
        data.check_compatible(
            content.evaluation, image_shape=spec.image_shape, num_classes=num_classes
        )
    known = content.fingerprints
    folder = open_folder(job, out, machine, used=held, data=known)
    if (folder.path / "summary.json").exists():
        return _earlier(folder, kinds)
    trained = train.run_training(
        folder.path,
        plan,
        content.examples,
        checkpoint_every=machine.checkpoint_every,
        hidden=here.process > 0,
    )
    model = train.trained_model(spec, trained.state)
    unreadable: list[str] = []
    if content.evaluation is not None:
        unreadable = measure(model, content.evaluation, folder)
    records = merged(folder)
    totals = _totals(folder.path, trained, records or [])
    summary = summarize(totals, records or [])
    said = {**(origin or {}), **identity(job, held, data=known), "result": summary}
    named = train.trained_model(spec._replace(origin=said), trained.state)
    models.save_model(folder.path / "model", named, overwrite=True)
    if records is None:
        return Result(folder.path, None, (), tuple(unreadable))
    return finished(folder.path, records, summary, unreadable, kinds)


def append_records(
    job: Training,
    folder: runs.OpenRun,
    source: data.Source,
    *,
    predict: Callable,
    method: Callable,
    describe: Callable[[data.Record, Any], dict],
) -> list[str]:
    """Drives `method` over the images that have no record yet, and appends theirs.

    Returns what was said of each image that could not be read.
    """
    outcomes = drive.drive(
        measuring_key(job),
        predict,
        method,
        source,
        skip=folder.done,
        block=BLOCK,
        batch_size=images_at_once(job),
    )

    def described(record: data.Record, result: Any) -> dict:
        return {"label": record.label, **describe(record, result)}

    def write(records: list[dict]) -> None:
        runs.append_records(folder, records)

    with progress_bar(source, len(folder.done)) as bar:
        return drive.run(outcomes, described, write, advance=bar.update).unreadable


def progress_bar(source: data.Source, done: int) -> Any:
    """The line of progress of what this process measures."""
    here = drive.here()
    return drive.progress_bar(
        total=math.ceil(len(source.indices) / here.processes),
        done=done // here.processes,
        description="evaluate",
        hidden=here.process > 0,
    )


def _totals(
    folder: pathlib.Path, trained: train.Trained, records: list[dict]
) -> dict[str, Any]:
    """What a training cost, and the last line of its log."""
    log = runs.read_metrics(folder)
    last = {f"train_{k}": v for k, v in log[-1].items() if k in _LOGGED}
    return {
        "images": trained.images,
        "seconds": trained.seconds,
        "images_per_second": trained.images_per_second,
        "steps": int(trained.state.step),
        **last,
        "eval_images": len(records),
    }


def _earlier(folder: runs.OpenRun, kinds: Kinds) -> Result:
    """What an earlier start has finished."""
    records = merged(folder)
    if records is None:
        return Result(folder.path, None, (), finished_before=True)
    summary = runs.read_json(folder.path / "summary.json")
    found = result_of(folder.path, records, summary, kinds)
    return found._replace(finished_before=True)
