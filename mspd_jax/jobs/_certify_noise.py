"""Certificates under noise: how many votes, their count on the devices, totals."""

import functools
import pathlib
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.tree_util import Partial

from mspd_jax import data, drive, evaluate, models, smoothing
from mspd_jax.errors import InputError
from mspd_jax.jobs._certification import NoiseRecord, NoiseSummary
from mspd_jax.jobs._certify_methods import CertifyMachine, Denoised, Smoothing
from mspd_jax.jobs._frame import Kinds, run_over_images
from mspd_jax.jobs._result import Result
from mspd_jax.jobs._values import (
    Loaded,
    check_compatible,
    image_shape_of,
    loaded,
    loaded_transform,
)

KINDS = Kinds(NoiseSummary, NoiseRecord)
_AXIS = "samples"
# With which the outcome of an image that `fast` gives up may be another.
_FUTILITY = 1e-3


class Settings(NamedTuple):
    """plan: how many votes are drawn. sigma, alpha: of the certificate. denoiser: what
    stands in front of the classifier, None for nothing. forced: it is taken although it
    was trained on other noise."""

    plan: smoothing.SamplingPlan
    sigma: float
    alpha: float
    denoiser: Loaded | None
    forced: bool


def certify_noise(
    job: Any, out: str | pathlib.Path, machine: CertifyMachine, source: data.Source
) -> Result:
    """Certifies a model that is at hand."""
    method, settings = job.method, settings_of(job.method)
    target = loaded(job.target)
    used = {"target": target} | denoisers(settings)
    check_compatible(source, used)
    shape = image_shape_of(target, source)
    check_channels(settings, shape[-1])
    predict = target.predict
    if method.eight_bit:
        predict = smoothing.eight_bit(predict)
    if settings.denoiser is not None:
        predict = smoothing.denoised(predict, settings.denoiser.predict)
    block = machine.block or 1
    chunk = machine.chunk or _chunk(settings, shape, block)
    axis = _AXIS if method.split == "samples" else None
    return run_over_images(
        job,
        out,
        machine,
        predict=predict,
        method=Partial(
            functools.partial(smoothing.smoothed_votes, chunk=chunk, axis_name=axis),
            sigma=jnp.asarray(settings.sigma, jnp.float32),
            plan=jax.tree.map(jnp.asarray, settings.plan),
        ),
        source=source,
        describe=functools.partial(described, settings),
        summarize=functools.partial(summarized, settings),
        used=used,
        kinds=KINDS,
        block=block,
        axis_name=axis,
        chunk=chunk,
    )


def settings_of(method: Smoothing) -> Settings:
    """How many votes to draw, and what is in front; refuses what cannot be enough."""
    fast = method.early_stop == "fast"
    try:
        plan = smoothing.stopping_plan(
            selection=method.selection,
            estimation=method.samples,
            sigma=method.sigma,
            alpha=method.alpha,
            radius=method.radius,
            futility=_FUTILITY if fast else 0.0,
            rounds=1 if method.early_stop == "none" else 20,
            known_label=fast,
        )
    except ValueError as error:
        raise InputError(str(error)) from error
    denoiser, forced = None, False
    if isinstance(method, Denoised):
        denoiser, forced = _denoiser(method), method.force_sigma
    return Settings(plan, method.sigma, method.alpha, denoiser, forced)


def denoisers(settings: Settings) -> dict[str, Loaded]:
    """The denoiser by its role, if there is one."""
    return {} if settings.denoiser is None else {"denoiser": settings.denoiser}


def check_channels(settings: Settings, channels: int) -> None:
    """InputError unless the denoiser, which takes any size, has so many channels."""
    if settings.denoiser is None or settings.denoiser.model is None:
        return
    own = settings.denoiser.model.spec.image_shape[-1]
    if own != channels:
        raise InputError(
            f"`denoiser` is for images of {own} channels, not {channels}: name another"
        )


def described(
    settings: Settings,
    folder: pathlib.Path,
    record: data.Record,
    votes: smoothing.Votes,
) -> dict:
    """The certificate of an image, and the votes that it rests on."""
    del folder
    certificate = smoothing.certify_votes(
        votes.selection,
        votes.estimation,
        num_samples=int(settings.plan.estimation),
        sigma=settings.sigma,
        alpha=settings.alpha,
    )
    label = int(certificate.label)
    return {
        "prediction": label,
        "radius": float(certificate.radius),
        "correct": 0 <= label == record.label,
        "selection": votes.selection.tolist(),
        "estimation": votes.estimation.tolist(),
        "drawn": int(votes.drawn),
    }


def summarized(settings: Settings, records: list[dict]) -> dict:
    """The totals of a certification; without labels there are no accuracies."""
    totals = evaluate.certified_totals(records, alpha=settings.alpha)
    warnings = []
    if any(record["label"] < 0 for record in records):
        totals = {k: v for k, v in totals.items() if not k.startswith("certified")}
        warnings.append("without labels there is no accuracy")
    if settings.forced:
        warnings.append("`force_sigma`: the denoiser's own sigma was not asked for")
    drawn = sum(int(settings.plan.selection) + record["drawn"] for record in records)
    named = sum(sum(r["selection"]) + sum(r["estimation"]) for r in records)
    if named < drawn:
        share = (drawn - named) * 1000 // drawn / 10  # cut, as all shares in print
        warnings.append(
            f"{share} % of the answers name no class (NaN, or a label or name that is "
            "not known): they count against every class"
        )
    return totals | {"warnings": warnings}


def _denoiser(method: Denoised) -> Loaded:
    """The denoiser, which must have been trained on this noise."""
    value = method.denoiser
    if callable(value) and not isinstance(value, models.Model):
        return loaded(value)  # a function; what it was trained on, its author knows
    denoiser = loaded_transform(value)  # refuses what is no denoiser
    origin = denoiser.model.spec.origin if denoiser.model else {}
    trained = origin.get("sigma")
    if trained != method.sigma and not method.force_sigma:
        noise = "unknown noise" if trained is None else f"noise of sigma {trained}"
        raise InputError(
            f"`denoiser`={denoiser.name} was trained on {noise}, `sigma`="
            f"{method.sigma}: use the same, or `force_sigma`"
        )
    return denoiser


def _chunk(settings: Settings, shape: tuple[int, int, int], block: int) -> int:
    """Samples per pass: as the device likes, in equal shares of a round."""
    most = drive.images_per_pass(shape, batch_size=block)
    share = int(settings.plan.ends[0])
    return -(-share // -(-share // most))
