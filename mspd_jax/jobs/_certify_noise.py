"""Certificates under noise: how many votes, their count on the devices, totals."""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.tree_util import Partial

from mspd_jax import data, drive, evaluate, models, smoothing
from mspd_jax.attacks import fixed
from mspd_jax.errors import InputError
from mspd_jax.jobs._certify_methods import CertifyMachine, Denoised, Smoothing
from mspd_jax.jobs._frame import Kinds
from mspd_jax.jobs._values import (
    Loaded,
    check_compatible,
    image_shape_of,
    loaded,
    loaded_transform,
)
from mspd_jax.jobs._work import Work

# With which the outcome of an image that `fast` gives up may be another.
_FUTILITY = 1e-3


class NoiseRecord(NamedTuple):
    """The certificate of an image, and the votes that it rests on.

    prediction: class, -1 where it abstains. radius: l2, in pixels; 0 where it abstains.
    selection, estimation: votes by class. drawn: samples of the estimation.
    """

    index: int  # type: ignore[assignment]
    label: int
    prediction: int
    radius: float
    correct: bool
    selection: list[int]
    estimation: list[int]
    drawn: int
    source_digest: str | None = None


class NoiseSummary(NamedTuple):
    """Totals; without labels there are no accuracies. See `evaluate.certified_totals`.

    certified: by radius, the share of images that are right and certified at it.
    """

    images: int
    seconds: float
    images_computed: int
    images_per_second: float | None
    certified_accuracy: float | None = None
    certified: dict[str, float] = {}
    certified_interval: dict[str, list[float]] = {}
    abstained: float | None = None
    mean_radius: float | None = None
    wrong_certificates: dict[str, float] = {}
    samples_drawn: float | None = None
    warnings: list[str] = []
    compile_seconds: float | None = None


KINDS = Kinds(NoiseSummary, NoiseRecord)


def noise_work(job: Any, machine: CertifyMachine, source: data.Source) -> Work:
    """What it comes to to certify a model that is at hand."""
    method, plan, front = job.method, plan_of(job.method), denoiser_of(job.method)
    target = loaded(job.target)
    check_compatible(source, {"target": target, **front})
    shape = image_shape_of(target, source)
    check_reads(front, shape)
    predict = target.predict
    if method.eight_bit:
        predict = smoothing.eight_bit(predict)
    if front:
        predict = smoothing.denoised(predict, front["denoiser"].predict)
    block = machine.block or 1
    # As many samples as the device likes, in equal shares of a round.
    share, most = int(plan.ends[0]), drive.images_per_pass(shape, batch_size=block)
    chunk = machine.chunk or -(-share // -(-share // most))
    axis = "samples" if method.split == "samples" else None
    return Work(
        predict=predict,
        method=Partial(
            fixed(smoothing.smoothed_votes, chunk=chunk, axis_name=axis),
            sigma=jnp.asarray(method.sigma, jnp.float32),
            plan=jax.tree.map(jnp.asarray, plan),
        ),
        source=source,
        image_shape=shape,
        describe=functools.partial(described, method, plan),
        summarize=functools.partial(summarized, method, plan),
        used={"target": target, **front},
        kinds=KINDS,
        block=block,
        axis_name=axis,
        chunk=chunk,
    )


def plan_of(method: Smoothing) -> smoothing.SamplingPlan:
    """How many votes to draw; InputError where they cannot be enough."""
    fast = method.early_stop == "fast"
    try:
        return smoothing.stopping_plan(
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


def denoiser_of(method: Smoothing) -> dict[str, Loaded]:
    """By its role, the denoiser, which must have been trained on this noise.

    Diffusion models and some denoisers were trained on noise of every sigma.
    """
    if not isinstance(method, Denoised):
        return {}
    value = method.denoiser
    if callable(value) and not isinstance(value, models.Model):
        # A function; what it was trained on, its author knows.
        return {"denoiser": loaded(value)}
    denoiser = loaded_transform(value, sigma=method.sigma)  # refuses other kinds
    if denoiser.model and models.takes_any_noise(denoiser.model.spec):
        return {"denoiser": denoiser}
    origin = denoiser.model.spec.origin if denoiser.model else {}
    trained = origin.get("sigma")
    if trained != method.sigma and not method.force_sigma:
        noise = "unknown noise" if trained is None else f"noise of sigma {trained}"
        raise InputError(
            f"`denoiser`={denoiser.name} was trained on {noise}, `sigma`="
            f"{method.sigma}: use the same, or `force_sigma`"
        )
    return {"denoiser": denoiser}


def check_reads(front: dict[str, Loaded], shape: tuple[int, int, int]) -> None:
    """InputError unless the denoiser has so many channels, and takes such a size."""
    channels = shape[-1]
    for denoiser in front.values():
        own = denoiser.model.spec.image_shape[-1] if denoiser.model else channels
        if own != channels:
            raise InputError(
                f"`denoiser` is for images of {own} channels, not {channels}: name "
                "another"
            )
        if denoiser.model:
            image = jax.ShapeDtypeStruct(shape, jnp.float32)
            jax.eval_shape(denoiser.predict, image)  # a network refuses some sizes


def described(
    method: Smoothing,
    plan: smoothing.SamplingPlan,
    record: data.Record,
    votes: smoothing.Votes,
) -> dict:
    """The certificate of an image, and the votes that it rests on."""
    certificate = smoothing.certify_votes(
        votes.selection,
        votes.estimation,
        num_samples=int(plan.estimation),
        sigma=method.sigma,
        alpha=method.alpha,
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


def summarized(
    method: Smoothing, plan: smoothing.SamplingPlan, records: Sequence[dict]
) -> dict:
    """The totals of a certification; without labels there are no accuracies."""
    totals = evaluate.certified_totals(records, alpha=method.alpha)
    warnings = []
    if any(record["label"] < 0 for record in records):
        totals = {k: v for k, v in totals.items() if not k.startswith("certified")}
        warnings.append("without labels there is no accuracy")
    if isinstance(method, Denoised) and method.force_sigma:
        warnings.append("`force_sigma`: the denoiser's own sigma was not asked for")
    drawn = sum(int(plan.selection) + record["drawn"] for record in records)
    named = sum(sum(r["selection"]) + sum(r["estimation"]) for r in records)
    if named < drawn:
        share = (drawn - named) * 1000 // drawn / 10  # cut, as all shares in print
        warnings.append(
            f"{share} % of the answers name no class (NaN, or a label or name that is "
            "not known): they count against every class"
        )
    return totals | {"warnings": warnings}
