"""Training a classifier: plainly, on noise, under hidden windows, or adversarially."""

import dataclasses
from typing import NamedTuple

from mspd_jax import drive, models, patch, train
from mspd_jax.errors import InputError
from mspd_jax.jobs._classifier_measure import measure, measuring_programs, summarize
from mspd_jax.jobs._frame import Kinds
from mspd_jax.jobs._option import option
from mspd_jax.jobs._training import Training
from mspd_jax.jobs._values import Radius, radius_of


class TrainClassifierRecord(NamedTuple):
    """An image under the attack that ends a training.

    prediction: class of the image as it is. attacks: by name whether the attack found
    an error (of an image that is wrong as it is: always), and whether all was finite.
    noisy_correct: under one draw of the noise that was trained on.
    """

    index: int  # type: ignore[assignment]
    label: int
    prediction: int
    correct: bool
    attacks: dict[str, dict[str, bool]]
    noisy_correct: bool | None = None


class TrainClassifierSummary(NamedTuple):
    """Totals of a training.

    images: trained on, over all epochs. train_*: means over the last epoch.
    eval_images: measured; accuracies and intervals are theirs, see `EvaluateSummary`.
    """

    images: int
    seconds: float
    images_per_second: float | None
    steps: int
    eval_images: int
    train_loss: float | None = None
    train_clean_accuracy: float | None = None
    train_robust_accuracy: float | None = None
    clean_accuracy: float | None = None
    clean_interval: list[float] | None = None
    robust_accuracy: float | None = None
    robust_interval: list[float] | None = None
    attacks: dict[str, float] = {}
    attack_intervals: dict[str, list[float]] = {}
    attacks_each_alone: bool | None = None
    noisy_accuracy: float | None = None
    warnings: list[str] = []
    compile_seconds: float | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainClassifier(Training):
    """Trains a classifier.

    Example:
      result = jobs.TrainClassifier(
          source="digits:train", eval_source="digits:test", arch="small_cnn",
          adversarial="trades", eps=0.15,
      ).run("OUT")
      print(result.summary.robust_accuracy)
      model = models.load_model("OUT")
    """

    KINDS = Kinds(TrainClassifierSummary, TrainClassifierRecord)

    norm: str = option(
        "linf", help="norm of the perturbation ball", choices=("linf", "l2")
    )
    eps: Radius | None = option(
        None,
        help="radius of the perturbation ball for pixels in [0, 1]: 8/255 or 0.031",
    )
    arch: str | None = option(None, help=f"network to train: {models.ARCHITECTURES}")
    adversarial: str = option(
        "none",
        help="what is trained on: none (the images), fgsm (one step of 1.25 eps from a "
        "random start), fgsm_regularized (the images, and one step of eps from them), "
        "pgd, trades",
        choices=tuple(train.OBJECTIVES),
    )
    attack_steps: int | None = option(
        None, help="gradient steps of pgd and trades [10]", lower=1
    )
    step_size: Radius | None = option(
        None, help="their size, as eps [min(1.25, 2.5 / steps) * eps]"
    )
    beta: float | None = option(
        None,
        help="weight of the divergence in trades [6], of the loss on attacked images "
        "in fgsm_regularized [1]",
        lower=0.0,
    )
    noise: float = option(
        0.0, help="standard deviation of noise on the images", lower=0.0
    )
    label_smoothing: float = option(
        0.0, help="share of the label for all classes", lower=0.0, upper=1
    )
    occlude: int = option(
        0,
        help="hide a window of so many pixels a side, at a random place of each image: "
        "for certify --method=minority, scalecert",
        lower=0,
    )
    occlude_least: int | None = option(
        None,
        help="each image draws its window's side, from so many pixels to `occlude`",
        lower=1,
        later=True,
    )
    occlude_at: str = option(
        "pixels",
        help="where: pixels, or a layer such as stem, behind which the values that see "
        "the window are hidden (for scalecert)",
    )
    keep: tuple[str | float, ...] = option(
        (),
        help="with a layer: only this share of its values, the largest, is kept; of "
        "several shares, one is drawn for each image",
    )

    select: str = option(
        "neurons",
        help="with a layer: what is kept, single values or places with all of theirs",
        choices=patch.SELECTIONS,
        later=True,
    )

    def _plan(self, examples, classifiers) -> train.TrainingPlan:
        inner = self.occlude_at != "pixels"
        _check_occlusion(self, examples)
        if self.noise and self.adversarial != "none":
            raise InputError(
                f"`noise`={self.noise} with `adversarial`={self.adversarial}: an "
                "adversary needs images in [0, 1]; choose one of the two"
            )
        objective = _objective(self)
        start = self._start(examples)
        spec = train.spec_of(start)
        if models.gives_images(spec):
            kind = models.model_kind(spec)
            raise InputError(f"a {spec.architecture} is {kind}, not a classifier")
        if inner:
            objective = train.occluded_objective(
                start,
                cut=self.occlude_at,
                size=self.occlude,
                least=self.occlude_least,
                keep=tuple(map(float, self.keep)),
                select=self.select,
                smoothing=self.label_smoothing,
            )
        return self._planned(
            examples,
            start,
            objective,
            noise=self.noise,
            hide=0 if inner else self.occlude,
            hide_least=None if inner else self.occlude_least,
        )

    def _measure(self, classifiers, model, source, folder) -> list[str]:
        return measure(self, _radius(self), model, source, folder)

    def _measuring_programs(self, classifiers, model) -> list[drive.Program]:
        return measuring_programs(self, _radius(self), model)

    def _summary(self, totals, records) -> dict:
        return summarize(totals, records)


def _radius(job: TrainClassifier) -> float | None:
    """The radius of the attacks; None where nothing is attacked."""
    eps = _length(job, "eps")
    return None if job.adversarial == "none" else eps


def _length(job: TrainClassifier, name: str) -> float | None:
    value = getattr(job, name)
    return None if value is None else radius_of(value, job.norm, name)


def _objective(job: TrainClassifier) -> train.Objective:
    try:
        return train.objective(
            job.adversarial,
            eps=_radius(job),
            norm=job.norm,
            steps=job.attack_steps,
            step_size=_length(job, "step_size"),
            beta=job.beta,
            smoothing=job.label_smoothing,
        )
    except ValueError as error:
        text = str(error).replace("`steps`", "`attack_steps`")
        raise InputError(text.replace("`smoothing`", "`label_smoothing`")) from error


def _check_occlusion(job: TrainClassifier, examples: train.Examples) -> None:
    """InputError unless the fields of occlusion fit each other and the images."""
    inner, side = job.occlude_at != "pixels", min(examples.images.shape[1:3])
    if job.occlude > side:
        raise InputError(
            f"`occlude`={job.occlude}: the images have {side} pixels a side: give less"
        )
    if job.occlude_least is not None and job.occlude_least > job.occlude:
        raise InputError(
            f"`occlude_least`={job.occlude_least}: windows have "
            f"`occlude`={job.occlude} pixels a side at most"
        )
    if inner and not (job.occlude and job.keep):
        raise InputError(
            f"`occlude_at`={job.occlude_at} needs `occlude`=SIDE of a window in "
            "pixels, and `keep`=SHARE of the layer's values"
        )
    if job.keep and not inner:
        raise InputError("`keep` goes with `occlude_at`=LAYER")
    if job.select != "neurons" and not inner:
        raise InputError(f"`select`={job.select} goes with `occlude_at`=LAYER")
    if inner and job.adversarial != "none":
        raise InputError(
            f"`occlude_at`={job.occlude_at} with `adversarial`={job.adversarial}: an "
            "adversary goes with `occlude_at`=pixels alone"
        )
    for share in job.keep:
        try:
            float(share)
        except ValueError as error:
            raise InputError(
                f"`keep`={share}: expected shares above 0 to 1, as 0.05"
            ) from error
