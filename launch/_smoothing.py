"""What certify does with noise: flags, votes on the devices, certificates, sums."""

import functools
import pathlib
from typing import NamedTuple

import jax
import jax.numpy as jnp
from absl import flags
from jax.tree_util import Partial

from launch import _job, _patches
from launch._passes import images_per_pass
from mspd_jax import data, evaluate, models, smoothing
from mspd_jax.errors import InputError

# Flags defined through this module count as the calling main's own.
flags.disclaim_key_flags()
FLAGS = flags.FLAGS
OWN = (
    "sigma", "denoiser", "force_sigma", "samples", "selection", "alpha", "early_stop",
    "radius", "eight_bit", "split",
)  # fmt: skip
_AXIS = "samples"
_STOPS = ("none", "exact", "fast")
# With which the outcome of an image that `fast` gives up may be another.
_FUTILITY = 1e-3


class Settings(NamedTuple):
    """plan: how many votes are drawn. sigma, alpha: of the certificate, as Python
    numbers."""

    plan: smoothing.SamplingPlan
    sigma: float
    alpha: float


def define_flags() -> None:
    """The flags of noise and of stopping."""
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
        "split", "images", ["samples", "images"],
        "what the devices share out: the images, or the samples of each image, which "
        "may then depend on the number of devices, by rounding",
    )  # fmt: skip


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
    return Settings(plan, FLAGS.sigma, FLAGS.alpha)


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
        predict = models.behind(models.restorer(used["denoiser"]), predict)
    chunk = _chunk(given, shape)
    axis = _AXIS if FLAGS.split == "samples" else None
    method = Partial(
        functools.partial(smoothing.smoothed_votes, chunk=chunk, axis_name=axis),
        sigma=jnp.asarray(given.sigma, jnp.float32),
        plan=jax.tree.map(jnp.asarray, given.plan),
    )
    return _job.run_job(
        "certify", predict=predict, method=method, source=source, used=used,
        describe=functools.partial(described, given), axis_name=axis,
        unused=_patches.OWN, block=FLAGS.block, chunk=chunk,
    )  # fmt: skip


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


def check_channels(denoiser: models.Model, channels: int) -> None:
    """InputError unless a denoiser, which takes any size, has so many channels."""
    own = denoiser.spec.image_shape[-1]
    if own != channels:
        raise InputError(
            f"--denoiser is for images of {own} channels, not {channels}: name another"
        )


def _chunk(given: Settings, shape: tuple[int, int, int]) -> int:
    """Samples per pass: as the device likes, in equal shares of a round."""
    if FLAGS.chunk:
        return FLAGS.chunk
    most = images_per_pass(shape, batch_size=FLAGS.block)
    share = int(given.plan.ends[0])
    return -(-share // -(-share // most))


def described(
    given: Settings, folder: pathlib.Path, record: data.Record, votes: smoothing.Votes
) -> dict:
    """The certificate of an image, and the votes that it rests on."""
    del folder
    certificate = smoothing.certify_votes(
        votes.selection, votes.estimation, num_samples=given.plan.estimation,
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
