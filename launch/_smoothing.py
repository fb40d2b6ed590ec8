"""What certify does with noise: flags, votes on devices or by queries, sums."""

import functools
import pathlib
from collections.abc import Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
from absl import flags
from jax.tree_util import Partial

from launch import _job
from launch._passes import images_per_pass
from mspd_jax import data, drive, evaluate, models, smoothing
from mspd_jax.errors import InputError

# Flags defined through this module count as the calling main's own.
flags.disclaim_key_flags()
FLAGS = flags.FLAGS
_AXIS = "samples"
_STOPS = ("none", "exact", "fast")
# With which the outcome of an image that `fast` gives up may be another.
_FUTILITY = 1e-3
_QUERIES = "queries"


class Settings(NamedTuple):
    """plan: how many votes are drawn. samples: n of the certificate. sigma, alpha: of
    the certificate, as Python numbers."""

    plan: smoothing.Plan
    samples: int
    sigma: float
    alpha: float


def define_flags() -> None:
    """The flags of noise, of stopping, and of asking."""
    flags.DEFINE_integer("samples", 10_000, "noise draws that bound the radius (n)", 1)
    flags.DEFINE_integer("selection", 100, "noise draws that choose the class (n0)", 1)
    flags.DEFINE_float(
        "alpha", 0.001, "probability that the certificate of an image may be wrong"
    )
    flags.DEFINE_enum(
        "early_stop", "exact", list(_STOPS), "none: draw all samples; exact: give an "
        "image up when no claim about it can come any more, which changes no claim; "
        "fast: also when that is very likely, or when its class is not its label",
    )  # fmt: skip
    flags.DEFINE_float(
        "radius", None, "ask of each image only whether it can be certified at this "
        "l2 radius, and stop when that is known", lower_bound=0.0,
    )  # fmt: skip
    flags.DEFINE_bool(
        "eight_bit", False, "the classifier sees images rounded to 8 bits"
    )
    flags.DEFINE_enum(
        "split", "samples", ["samples", "images"],
        "what the devices share out: the samples of each image, or the images",
    )  # fmt: skip
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


def settings() -> Settings:
    """How many votes to draw, by the flags; InputError if none could be enough."""
    fast = FLAGS.early_stop == "fast"
    try:
        plan = smoothing.stopping_plan(
            selection=FLAGS.selection, estimation=FLAGS.samples, sigma=FLAGS.sigma,
            alpha=FLAGS.alpha, radius=FLAGS.radius, futility=_FUTILITY if fast else 0.0,
            rounds=1 if FLAGS.early_stop == "none" else 20, known_label=fast,
        )  # fmt: skip
    except ValueError as error:
        raise InputError(str(error)) from error
    return Settings(plan, FLAGS.samples, FLAGS.sigma, FLAGS.alpha)


def certify_on_devices(
    given: Settings, source: data.Source, used: dict[str, models.Model]
) -> _job.Finished:
    """Votes and records of a model that is at hand."""
    shape = used["target"].spec.image_shape
    if "denoiser" in used:
        check_channels(used["denoiser"], shape[-1])
    predict = models.predictor(used["target"])
    if FLAGS.eight_bit:
        predict = smoothing.eight_bit(predict)
    if "denoiser" in used:
        predict = smoothing.denoised(models.restorer(used["denoiser"]), predict)
    axis = _AXIS if FLAGS.split == "samples" else None
    method = Partial(
        functools.partial(
            smoothing.smoothed_votes, chunk=_chunk(given, shape, axis), axis_name=axis
        ),
        sigma=jnp.asarray(given.sigma, jnp.float32),
        plan=jax.tree.map(jnp.asarray, given.plan),
    )
    return _job.run_job(
        "certify", predict=predict, method=method, source=source, used=used,
        describe=functools.partial(_described, given), axis_name=axis,
    )  # fmt: skip


def certify_by_queries(
    given: Settings, source: data.Source, denoiser: models.Model | None
) -> _job.Finished:
    """Votes and records of a classifier that is asked; one process does it."""
    classes = _asked_classes(source)
    _check_asking(source, denoiser)
    try:
        classifier = smoothing.open_classifier(
            FLAGS.query, timeout=FLAGS.query_timeout,
            token_variable=None if FLAGS.offline else FLAGS.token_variable,
        )  # fmt: skip
        access = smoothing.query_access(
            None if FLAGS.offline else classifier.ask, name=classifier.name,
            num_classes=classes, class_names=FLAGS.class_names,
            batch_size=FLAGS.query_batch, eight_bit=FLAGS.eight_bit,
            retries=FLAGS.query_retries, rate=FLAGS.query_rate,
        )  # fmt: skip
    except ValueError as error:
        raise InputError(str(error)) from error
    identity = _job.identity("certify", {"denoiser": denoiser} if denoiser else {})
    identity["flags"]["query"] = classifier.name  # without what may be secret in it
    run = _job.open_folder(FLAGS.out, identity, num_classes=classes)
    describe = functools.partial(_described, given)
    try:
        outcomes = _asked(given, access, source, run, denoiser)
        return _job.record_outcomes(
            "certify", run, outcomes, describe, images=len(source.indices)
        )
    except InputError:
        if not drive.log_files(run.path, _QUERIES) and not run.done:
            (run.path / "run.json").unlink()  # nothing was answered: no run yet
            run.path.rmdir()
        raise
    finally:
        classifier.close()


def summarize(given: Settings, records: list[dict] | None) -> dict:
    """The totals of a certification; without labels there are no accuracies."""
    if not records:
        return {}
    totals = evaluate.certified_totals(records, alpha=given.alpha)
    warnings = []
    if any(record["label"] < 0 for record in records):
        totals = {k: v for k, v in totals.items() if not k.startswith("certified")}
        warnings.append("without labels there is no accuracy")
    if FLAGS.force_sigma and FLAGS.denoiser:
        warnings.append("--force_sigma: the denoiser's own sigma was not asked for")
    drawn = sum(given.plan.selection + record["drawn"] for record in records)
    named = sum(sum(r["selection"]) + sum(r["estimation"]) for r in records)
    if named < drawn:
        share = evaluate.percent((drawn - named) / drawn)
        warnings.append(
            f"{share} % of the answers name no class (NaN, or a label or name that is "
            "not known): they count against every class"
        )
    return totals | {"warnings": warnings}


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
    if FLAGS.query_log and not drive.log_files(pathlib.Path(FLAGS.query_log), _QUERIES):
        raise InputError(f"--query_log={FLAGS.query_log} holds no queries.jsonl")
    if FLAGS.offline and not any(drive.log_files(f, _QUERIES) for f in _log_folders()):
        raise InputError(
            "--offline needs answers: there is no queries.jsonl in --out, nor in "
            "--query_log"
        )
    if denoiser is not None and source.image_shape is not None:
        check_channels(denoiser, source.image_shape[-1])


def check_channels(denoiser: models.Model, channels: int) -> None:
    """InputError unless a denoiser, which takes any size, has so many channels."""
    own = denoiser.spec.image_shape[-1]
    if own != channels:
        raise InputError(
            f"--denoiser is for images of {own} channels, not {channels}: name another"
        )


def _chunk(given: Settings, shape: tuple[int, int, int], axis: str | None) -> int:
    """Samples per pass: as the device likes, in equal shares of a round."""
    if FLAGS.chunk:
        return FLAGS.chunk
    most = images_per_pass(shape, batch_size=FLAGS.batch_size)
    devices = jax.local_device_count() if axis else 1
    share = -(-int(given.plan.ends[0]) // devices)
    return -(-share // -(-share // most))


def _asked(
    given: Settings, access, source: data.Source, run: drive.Run,
    denoiser: models.Model | None,
) -> Iterator[list[drive.Outcome]]:  # fmt: skip
    """An outcome per image, in turn; what is answered goes to the log at once."""
    own = drive.open_log(run.path, _QUERIES)
    log = smoothing.open_query_log(
        functools.partial(drive.append_log, own),
        lambda: (e for f in _log_folders() for e in drive.read_log(f, _QUERIES)),
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


def _described(
    given: Settings, folder: pathlib.Path, record: data.Record, votes: smoothing.Votes
) -> dict:
    """The certificate of an image, and the votes that it rests on."""
    del folder
    certificate = smoothing.certify_votes(
        votes.selection, votes.estimation, num_samples=given.samples,
        sigma=given.sigma, alpha=given.alpha,
    )  # fmt: skip
    label = int(certificate.label)
    return {
        "prediction": label,
        "radius": float(certificate.radius),
        "correct": 0 <= label == record.label,
        "selection": votes.selection.tolist(),
        "estimation": votes.estimation.tolist(),
        "drawn": int(votes.drawn),
    }
