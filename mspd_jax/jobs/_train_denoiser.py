"""Training a denoiser, which goes in front of a fixed classifier."""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.tree_util import Partial

from mspd_jax import models, train
from mspd_jax.errors import InputError
from mspd_jax.jobs._frame import Kinds
from mspd_jax.jobs._option import option
from mspd_jax.jobs._training import Training, loaded_model, with_default

_DIFFUSION = "diffusion"


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
    compile_seconds: float | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainDenoiser(Training):
    """Trains a denoiser for denoised smoothing.

    Example:
      jobs.TrainDenoiser(
          source="digits:train", eval_source="digits:test", arch="dncnn", sigma=0.25
      ).run("OUT")
    """

    KINDS = Kinds(TrainDenoiserSummary, TrainDenoiserRecord)

    batch_size: int = with_default("batch_size", 256)
    epochs: int = with_default("epochs", 90)
    optimizer: str = with_default("optimizer", "adamw")
    learning_rate: float = with_default("learning_rate", 1e-3)
    weight_decay: float = with_default("weight_decay", 1e-4)
    schedule: str = with_default("schedule", "thirds")
    warmup_epochs: float = with_default("warmup_epochs", 0.0)
    arch: str | None = option(
        None,
        help=f"network to train: {models.DENOISERS}; for diffusion {models.DIFFUSIONS}",
    )
    sigma: float = option(
        help="standard deviation of Gaussian noise on pixels in [0, 1], as in 0.25; a "
        "diffusion model learns all, and is measured on this one",
        lower=1e-6,
    )
    objective: str = option(
        "mse",
        help="what is minimized: mse (to the clean image), stab (to the prediction of "
        "the classifier on the clean image), clf (to the true label), diffusion (to "
        "the noise, of every timestep)",
        choices=(*train.DENOISER_OBJECTIVES, _DIFFUSION),
    )
    classifier: tuple[str | models.Model, ...] = option(
        (),
        help="the fixed classifiers of stab and clf: checkpoints, separated by commas",
    )

    def _classifiers(self) -> dict[str, models.Model]:
        values = [v.strip() if isinstance(v, str) else v for v in self.classifier]
        found = [loaded_model(value, "classifier") for value in values]
        return {f"classifier{n}": model for n, model in enumerate(found)}

    def _needs_labels(self) -> bool:
        return self.objective == "clf"

    def _origin(self, classifiers) -> dict[str, Any]:
        return {} if self.objective == _DIFFUSION else {"sigma": self.sigma}

    def _plan(self, examples, classifiers) -> train.TrainingPlan:
        start = self._start(examples)
        spec = train.spec_of(start)
        diffusion = self.objective == _DIFFUSION
        kind = models.model_kind(spec)
        wanted = models.DIFFUSION if diffusion else models.DENOISER
        if kind != wanted:
            raise InputError(
                f"a {spec.architecture} is {kind}, not {wanted}, which `objective`="
                f"{self.objective} trains"
            )
        if models.is_told_noise(spec):
            raise InputError(
                f"a {spec.architecture} is told its noise, which no `objective` does: "
                "convert one, or train another `arch`"
            )
        if diffusion:
            return self._planned(examples, start, self._diffusion(spec, classifiers))
        predicts = [models.predictor(model) for model in classifiers.values()]
        objective = train.denoiser_objective(
            self.objective, sigma=self.sigma, classifiers=predicts
        )
        counts = {model.spec.num_classes for model in classifiers.values()}
        if len(counts) > 1:
            raise InputError(
                f"`classifier`: models of {sorted(counts)} classes; choose one number"
            )
        for model in classifiers.values():
            train.check_classifier(model, examples, labeled=self._needs_labels())
        sigma = spec.origin.get("sigma")  # a new network has no origin
        if sigma not in (None, self.sigma):
            raise InputError(
                f"`init` was trained on noise of sigma {sigma}, `sigma`={self.sigma}: "
                "give the same, or train from `arch`"
            )
        return self._planned(examples, start, objective)

    def _diffusion(self, spec, classifiers) -> train.Objective:
        """The objective of a diffusion model; refuses what it cannot be measured on."""
        if classifiers:
            raise InputError(
                f"`objective`={_DIFFUSION} takes no classifier, got {len(classifiers)}"
            )
        alpha_bars = models.alpha_bars(spec)
        models.noise_level(alpha_bars, sigma=self.sigma)
        return train.diffusion_objective(alpha_bars)

    def _method(self, classifiers, model) -> tuple[Callable, Callable]:
        predicts = tuple(models.predictor(model) for model in classifiers.values())
        sigma = jnp.asarray(self.sigma, jnp.float32)
        method = Partial(_restored, classifiers=predicts, sigma=sigma)
        return models.restorer(model, sigma=self.sigma), method

    def _summary(
        self, totals: dict[str, Any], records: Sequence[dict]
    ) -> dict[str, Any]:
        summary = totals | {"warnings": []}
        if not records:
            return summary
        for name in ("mse", "mse_noisy"):
            mean = sum(record[name] for record in records) / len(records)
            summary[name.replace("mse", "psnr")] = round(-10 * math.log10(mean), 3)
        known = [record for record in records if record["label"] >= 0]
        fields = {"restored": "predictions", "noisy": "predictions_noisy"}
        if known and known[0]["predictions"]:
            for name, field in fields.items():
                right = sum(record[field][0] == record["label"] for record in known)
                summary[f"{name}_accuracy"] = right / len(known)
        return summary


def _restored(key, predict, image, label, *, classifiers, sigma) -> dict:
    """The fields of the record of an image."""
    del label
    noisy = train.add_noise(key, image, sigma=sigma)
    restored = predict(noisy)

    def predictions(x) -> jax.Array:
        return jnp.asarray([jnp.argmax(f(x)) for f in classifiers], jnp.int32)

    return {
        "mse": jnp.mean((restored - image) ** 2),
        "mse_noisy": jnp.mean((noisy - image) ** 2),
        "predictions": predictions(restored),
        "predictions_noisy": predictions(noisy),
    }
