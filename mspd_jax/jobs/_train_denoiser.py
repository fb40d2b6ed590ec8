"""Training a denoiser, which goes in front of a fixed classifier."""

import dataclasses
import functools
import math
import pathlib
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.tree_util import Partial

from mspd_jax import data, models, runs, train
from mspd_jax.errors import InputError
from mspd_jax.jobs._frame import Kinds
from mspd_jax.jobs._option import option
from mspd_jax.jobs._result import Result
from mspd_jax.jobs._training import (
    append_records,
    load_data,
    load_start,
    loaded_model,
    run_training,
)
from mspd_jax.jobs._training_fields import Training, TrainingMachine, with_default


class TrainDenoiserRecord(NamedTuple):
    """An image under one draw of noise.

    mse, mse_noisy: mean squared error of the restored and of the noisy image.
    predictions, predictions_noisy: class by each of the classifiers.
    """

    index: int  # type: ignore[assignment]
    label: int
    mse: float
    mse_noisy: float
    predictions: list[int]
    predictions_noisy: list[int]


class TrainDenoiserSummary(NamedTuple):
    """Totals of a training.

    images: trained on, over all epochs. train_*: means over the last epoch. psnr,
    psnr_noisy: of the mean squared error over all records, in decibel.
    restored_accuracy, noisy_accuracy: of the first classifier.
    """

    images: int
    seconds: float
    images_per_second: float | None
    steps: int
    eval_images: int
    train_loss: float | None = None
    train_clean_accuracy: float | None = None
    train_robust_accuracy: float | None = None
    psnr: float | None = None
    psnr_noisy: float | None = None
    restored_accuracy: float | None = None
    noisy_accuracy: float | None = None
    warnings: list[str] = []


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainDenoiser(Training):
    """Trains a denoiser for denoised smoothing.

    Example:
      jobs.TrainDenoiser(
          source="digits:train", eval_source="digits:test", arch="dncnn", sigma=0.25
      ).run("OUT")
    """

    batch_size: int = with_default("batch_size", 256)
    epochs: int = with_default("epochs", 90)
    optimizer: str = with_default("optimizer", "adamw")
    learning_rate: float = with_default("learning_rate", 1e-3)
    weight_decay: float = with_default("weight_decay", 1e-4)
    schedule: str = with_default("schedule", "thirds")
    warmup_epochs: float = with_default("warmup_epochs", 0.0)
    arch: str | None = option(None, help=f"network to train: {models.DENOISERS}")
    sigma: float = option(
        help="standard deviation of Gaussian noise on pixels in [0, 1], as in 0.25",
        lower=1e-6,
    )
    objective: str = option(
        "mse",
        help="what is minimized: mse (to the clean image), stab (to the prediction of "
        "the classifier on the clean image), clf (to the true label)",
        choices=tuple(train.DENOISER_OBJECTIVES),
    )
    classifier: tuple[str | models.Model, ...] = option(
        (),
        help="the fixed classifiers of stab and clf: checkpoints, separated by commas",
    )

    def plan(self, examples: train.Examples) -> train.TrainingPlan:
        """The training of these examples; refuses whatever cannot be used."""
        return _plan(self, examples, _classifiers(self))

    def run(
        self, out: str | pathlib.Path, machine: TrainingMachine | None = None
    ) -> Result:
        """Trains, measures the denoiser on `eval_source`, and saves it as OUT/model.

        The same call goes on where it was interrupted, and ends with the same weights.

        Returns:
          A `Result` of `TrainDenoiserSummary` and `TrainDenoiserRecord`s.
        """
        classifiers = _classifiers(self)
        content = load_data(self, labeled=self.objective == "clf")
        plan = _plan(self, content.examples, classifiers)
        return run_training(
            self,
            out,
            machine,
            plan=plan,
            content=content,
            measure=functools.partial(_measure, self, classifiers),
            summarize=_summary,
            kinds=Kinds(TrainDenoiserSummary, TrainDenoiserRecord),
            num_classes=classifiers[0].spec.num_classes if classifiers else None,
            used={f"classifier{n}": model for n, model in enumerate(classifiers)},
            origin={"sigma": self.sigma},
        )


def _classifiers(job: TrainDenoiser) -> list[models.Model]:
    values = [v.strip() if isinstance(v, str) else v for v in job.classifier]
    return [loaded_model(value, "classifier") for value in values]


def _plan(
    job: TrainDenoiser, examples: train.Examples, classifiers: list[models.Model]
) -> train.TrainingPlan:
    predicts = [models.predictor(model) for model in classifiers]
    try:
        objective = train.denoiser_objective(
            job.objective, sigma=job.sigma, classifiers=predicts
        )
    except ValueError as error:
        raise InputError(str(error)) from error
    start = load_start(job, examples)
    spec = start.spec if isinstance(start, models.Model) else start
    if models.model_kind(spec) != "a denoiser":
        kind = models.model_kind(spec)
        raise InputError(f"a {spec.architecture} is {kind}, not a denoiser")
    counts = {model.spec.num_classes for model in classifiers}
    if len(counts) > 1:
        raise InputError(
            f"`classifier`: models of {sorted(counts)} classes; choose one number"
        )
    for model in classifiers:
        train.check_classifier(model, examples, labeled=job.objective == "clf")
    if isinstance(start, models.Model):
        sigma = spec.origin.get("sigma")
        if sigma is not None and sigma != job.sigma:
            raise InputError(
                f"`init` was trained on noise of sigma {sigma}, `sigma`={job.sigma}: "
                "give the same, or train from `arch`"
            )
    return train.plan_training(examples, start, objective, job.config())


class _Restored(NamedTuple):
    """As in `TrainDenoiserRecord`; predictions: int32 [classifiers]."""

    mse: jax.Array
    mse_noisy: jax.Array
    predictions: jax.Array
    predictions_noisy: jax.Array


def _measure(
    job: TrainDenoiser,
    classifiers: list[models.Model],
    model: models.Model,
    source: data.Source,
    folder: runs.OpenRun,
) -> list[str]:
    """Appends a record per image; returns what could not be read."""
    method = Partial(
        _restored,
        classifiers=tuple(models.predictor(classifier) for classifier in classifiers),
        sigma=jnp.asarray(job.sigma, jnp.float32),
    )
    return append_records(
        job,
        folder,
        source,
        predict=models.restorer(model),
        method=method,
        describe=_fields,
    )


def _restored(key, predict, image, label, *, classifiers, sigma) -> _Restored:
    del label
    noisy = train.add_noise(key, image, sigma=sigma)
    restored = predict(noisy)
    return _Restored(
        jnp.mean((restored - image) ** 2),
        jnp.mean((noisy - image) ** 2),
        *(
            jnp.asarray([jnp.argmax(f(x)) for f in classifiers], jnp.int32)
            for x in (restored, noisy)
        ),
    )


def _fields(record: data.Record, result: _Restored) -> dict[str, Any]:
    return {
        "mse": float(result.mse),
        "mse_noisy": float(result.mse_noisy),
        "predictions": result.predictions.tolist(),
        "predictions_noisy": result.predictions_noisy.tolist(),
    }


def _summary(totals: dict[str, Any], records: list[dict]) -> dict[str, Any]:
    """What it cost, how it ended, what the records say."""
    summary = totals | {"warnings": []}
    if not records:
        return summary
    for name in ("mse", "mse_noisy"):
        mean = sum(record[name] for record in records) / len(records)
        summary[name.replace("mse", "psnr")] = round(-10 * math.log10(mean), 3)
    known = [record for record in records if record["label"] >= 0]
    if known and known[0]["predictions"]:
        for name, field in (
            ("restored", "predictions"),
            ("noisy", "predictions_noisy"),
        ):
            right = sum(record[field][0] == record["label"] for record in known)
            summary[f"{name}_accuracy"] = right / len(known)
    return summary
