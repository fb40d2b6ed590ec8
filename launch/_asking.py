"""How certify asks a classifier that it does not hold: flags, checks, the log."""

import functools
import pathlib
from collections.abc import Iterator

import jax
import jax.numpy as jnp
from absl import flags

from launch import _job, _patches
from launch._smoothing import Settings, check_channels, described
from mspd_jax import data, drive, models, query, runs, smoothing
from mspd_jax.errors import InputError

# Flags defined through this module count as the calling main's own.
flags.disclaim_key_flags()
FLAGS = flags.FLAGS
OWN = (
    "query", "num_classes", "class_names", "query_batch", "query_retries",
    "query_timeout", "query_rate", "token_variable", "offline", "query_log",
)  # fmt: skip
_QUERIES = "queries"


def define_flags() -> None:
    """The flags of asking."""
    flags.DEFINE_string(
        "query", None, "a classifier to ask: http(s)://host/path, "
        "python:module:function, or command:program --option",
    )  # fmt: skip
    flags.DEFINE_integer("num_classes", None, "number of its classes", 2)
    flags.DEFINE_list("class_names", None, "their names, where it answers with names")
    flags.DEFINE_integer("query_batch", 32, "the most images of one query", 1)
    flags.DEFINE_integer("query_retries", 5, "tries after a failure that may pass", 0)
    flags.DEFINE_float(
        "query_timeout", 30.0, "seconds to wait for an answer", 0.001, 1e6
    )
    flags.DEFINE_float("query_rate", None, "the most images per second", 0.0)
    flags.DEFINE_string(
        "token_variable", None, "environment variable that holds the service's token"
    )
    flags.DEFINE_bool("offline", False, "use answers that are known; ask nothing")
    flags.DEFINE_string(
        "query_log",
        None,
        "an earlier run folder whose answers may be used: those of "
        "the same classifier, which is known by its address or name alone",
    )


def check_flags() -> None:
    """Flags of queries are refused where nothing is asked."""
    for name in ("offline", "query_log", "class_names", "num_classes"):
        if FLAGS.query is None and FLAGS[name].value:
            raise InputError(f"--{name} goes with --query alone")


def certify_by_queries(
    given: Settings, source: data.Source, denoiser: models.Model | None
) -> _job.Finished:
    """Votes and records of a classifier that is asked; one process does it."""
    classes = _asked_classes(source)
    _check_asking(source, denoiser)
    try:
        classifier = query.open_classifier(
            FLAGS.query, timeout=FLAGS.query_timeout,
            token_variable=None if FLAGS.offline else FLAGS.token_variable,
        )  # fmt: skip
        access = query.query_access(
            None if FLAGS.offline else classifier.ask, name=classifier.name,
            num_classes=classes, class_names=FLAGS.class_names,
            batch_size=FLAGS.query_batch, eight_bit=FLAGS.eight_bit,
            retries=FLAGS.query_retries, rate=FLAGS.query_rate,
        )  # fmt: skip
    except ValueError as error:
        raise InputError(str(error)) from error
    identity = _job.identity(
        "certify", {"denoiser": denoiser} if denoiser else {}, unused=_patches.OWN
    )
    identity["flags"]["query"] = classifier.name  # without what may be secret in it
    run = _job.open_folder(FLAGS.out, identity, num_classes=classes)
    describe = functools.partial(described, given)
    try:
        outcomes = _asked(given, access, source, run, denoiser)
        return _job.record_outcomes(
            "certify", run, outcomes, describe, images=len(source.indices)
        )
    except InputError:
        if not runs.log_files(run.path, _QUERIES) and not run.done:
            (run.path / "run.json").unlink()  # nothing was answered: no run yet
            run.path.rmdir()
        raise
    finally:
        classifier.close()


def _asked_classes(source: data.Source) -> int:
    """How many classes the classifier that is asked has."""
    names, count = FLAGS.class_names, FLAGS.num_classes
    if names and count not in (None, len(names)):
        raise InputError(
            f"--class_names has {len(names)} names, --num_classes={count}: they differ"
        )
    classes = len(names) if names else count or source.num_classes
    if classes is None:
        raise InputError("--query needs --num_classes, which the source does not say")
    if source.num_classes not in (None, classes) or source.max_label >= classes:
        raise InputError(
            f"source {source.spec!r} has other classes than the {classes} of --query; "
            "give images with labels of that classifier, or without any"
        )
    return classes


def _check_asking(source: data.Source, denoiser: models.Model | None) -> None:
    """InputError for what cannot be asked, before anything is written."""
    if jax.process_count() > 1:
        raise InputError("--query runs in one process: leave the cluster flags out")
    if FLAGS.query_log and not runs.log_files(pathlib.Path(FLAGS.query_log), _QUERIES):
        raise InputError(f"--query_log={FLAGS.query_log} holds no queries.jsonl")
    if FLAGS.offline and not any(runs.log_files(f, _QUERIES) for f in _log_folders()):
        raise InputError(
            "--offline needs answers: there is no queries.jsonl in --out, nor in "
            "--query_log"
        )
    if denoiser is not None and source.image_shape is not None:
        check_channels(denoiser, source.image_shape[-1])


def _asked(
    given: Settings, access, source: data.Source, run: runs.OpenRun,
    denoiser: models.Model | None,
) -> Iterator[list[drive.Outcome]]:  # fmt: skip
    """An outcome per image, in turn; what is answered goes to the log at once."""
    own = runs.open_log(run.path, _QUERIES)
    log = query.open_query_log(
        functools.partial(runs.append_log, own),
        lambda: (e for f in _log_folders() for e in runs.read_log(f, _QUERIES)),
    )
    behind = {}
    if denoiser is not None:
        behind = {
            "denoiser": models.restorer(denoiser),
            "denoiser_hash": models.function_hash(denoiser),
        }
    key = _job.job_key("certify")
    for position, index in enumerate(source.indices):
        if int(index) in run.done:
            continue
        try:
            record = source.read(position)
        except InputError as error:
            yield [drive.Outcome(position, None, None, str(error))]
            continue
        votes = smoothing.query_votes(
            jax.random.fold_in(key, record.index), access, record.image,
            jnp.asarray(record.label), index=record.index, sigma=given.sigma,
            plan=given.plan, log=log, **behind,
        )  # fmt: skip
        yield [drive.Outcome(position, record, votes, None)]


def _log_folders() -> list[pathlib.Path]:
    """Where answers are looked for."""
    return [pathlib.Path(f) for f in (FLAGS.out, FLAGS.query_log) if f]
