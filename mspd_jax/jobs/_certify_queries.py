"""Certificates of a classifier that is asked, sample by sample, by one process."""

import dataclasses
import functools
import pathlib
from typing import Any

import jax.numpy as jnp

from mspd_jax import data, drive, models, paths, query, runs, smoothing
from mspd_jax.errors import InputError
from mspd_jax.jobs._certify_methods import Asking, CertifyMachine
from mspd_jax.jobs._certify_noise import (
    KINDS,
    check_reads,
    denoiser_of,
    described,
    plan_of,
    summarized,
)
from mspd_jax.jobs._frame import open_folder, record_outcomes
from mspd_jax.jobs._result import Result
from mspd_jax.jobs._values import Loaded
from mspd_jax.streams import stream

_QUERIES = "queries"


def certify_queries(
    job: Any, out: str | pathlib.PurePath, machine: CertifyMachine, source: data.Source
) -> Result:
    """Asks for the votes of every image that has no record yet.

    Each answer is on the disk, in OUT/queries.jsonl, before the next query.
    """
    method, plan, front = job.method, plan_of(job.method), denoiser_of(job.method)
    asking = method.asking
    classes = _classes(asking, source)
    folders = [paths.as_path(f) for f in (out, machine.query_log) if f]
    _check(machine, folders)
    if source.image_shape is not None:
        check_reads(front, source.image_shape)
    classifier, access = _opened(asking, method.eight_bit, machine, classes)
    folder = open_folder(
        _without_secrets(job, classifier.name),
        out,
        machine,
        used=front,
        source=source._replace(num_classes=classes),
    )
    try:
        own = runs.open_log(folder.path, _QUERIES)
        log = query.open_query_log(
            functools.partial(runs.append_log, own),
            lambda: (e for f in folders for e in runs.read_log(f, _QUERIES)),
        )
        ask = functools.partial(
            smoothing.query_votes,
            sigma=method.sigma,
            plan=plan,
            log=log,
            **_behind(front),
        )

        def votes(key, record):
            label = jnp.asarray(record.label)
            return ask(key, access, record.image, label, index=record.index)

        key = stream(job.seed, "certify")
        return record_outcomes(
            job,
            folder,
            drive.in_turn(key, votes, source, skip=folder.done),
            source=source,
            describe=functools.partial(described, method, plan),
            summarize=functools.partial(summarized, method, plan),
            kinds=KINDS,
            logs=[_QUERIES],
        )
    except InputError:
        if not runs.log_files(folder.path, _QUERIES) and not folder.done:
            runs.remove_run(folder)  # nothing was answered: no run yet
        raise
    finally:
        classifier.close()


def _behind(front: dict[str, Loaded]) -> dict[str, Any]:
    """The denoiser and its hash, as `query_votes` takes them."""
    if not front:
        return {}
    denoiser = front["denoiser"]
    model = denoiser.model
    digest = models.function_hash(model) if model else denoiser.digest
    return {"denoiser": denoiser.predict, "denoiser_hash": digest}


def _opened(
    asking: Asking, eight_bit: bool, machine: CertifyMachine, classes: int
) -> tuple[query.Classifier, query.Access]:
    """The classifier, of which nothing is asked yet, and how it is asked."""
    classifier = asking.query
    try:
        if isinstance(classifier, str):
            classifier = query.open_classifier(
                classifier,
                timeout=machine.query_timeout,
                token_variable=None if machine.offline else machine.token_variable,
            )
        access = query.query_access(
            None if machine.offline else classifier.ask,
            name=classifier.name,
            num_classes=classes,
            class_names=asking.class_names,
            batch_size=machine.query_batch,
            eight_bit=eight_bit,
            retries=machine.query_retries,
            rate=machine.query_rate,
        )
    except ValueError as error:
        raise InputError(str(error)) from error
    return classifier, access


def _without_secrets(job: Any, name: str) -> Any:
    """The job with the name of its classifier in place of an address."""
    asking = dataclasses.replace(job.method.asking, query=name)
    return dataclasses.replace(
        job, method=dataclasses.replace(job.method, asking=asking)
    )


def _classes(asking: Asking, source: data.Source) -> int:
    """How many classes the classifier has."""
    names, count = asking.class_names, asking.num_classes
    if names and count not in (None, len(names)):
        raise InputError(
            f"`class_names` has {len(names)} names, `num_classes`={count}: they differ"
        )
    classes = len(names) if names else count or source.num_classes
    if classes is None:
        raise InputError("`query` needs `num_classes`, which the source does not say")
    if source.num_classes not in (None, classes) or source.max_label >= classes:
        raise InputError(
            f"source {source.spec!r} has other classes than the {classes} of `query`; "
            "use images with labels of that classifier, or without any"
        )
    return classes


def _check(machine: CertifyMachine, folders: list[pathlib.PurePath]) -> None:
    """InputError for what cannot be asked, before anything is written."""
    if drive.here().processes > 1:
        raise InputError("`query` runs in one process: leave the cluster flags out")
    if machine.query_log and not runs.log_files(folders[-1], _QUERIES):
        raise InputError(f"`query_log`={machine.query_log} holds no queries.jsonl")
    if machine.offline and not any(runs.log_files(f, _QUERIES) for f in folders):
        raise InputError(
            "`offline` needs answers: there is no queries.jsonl in `out`, nor in "
            "`query_log`"
        )
