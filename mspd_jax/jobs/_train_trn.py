"""Training a Two-stream Restoration Network for a classifier that stays as it is."""

import dataclasses
import functools
import pathlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.tree_util import Partial

from mspd_jax import attacks, data, defenses, models, runs, train
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
from mspd_jax.jobs._values import radius_of

# Of an attacker who does not know of the network; `Evaluate` has the others.
_ATTACKS = ("fgsm", "pgd-10")
_ARCH = "trn_small"
_UNAWARE = "the attacker of these figures does not know of the network: see evaluate"


class TrainTRNRecord(NamedTuple):
    """Classes of one image, by kind of attack ("clean" for none).

    plain: by the classifier alone. restored: behind the network.
    """

    index: int  # type: ignore[assignment]
    label: int
    plain: dict[str, int]
    restored: dict[str, int]


class TrainTRNSummary(NamedTuple):
    """Totals of a training.

    images: trained on, over all epochs. train_*: means over the last epoch. eval_eps:
    radius of the attacks, all in l_inf. plain_accuracy, restored_accuracy: by kind of
    attack, without and with the network; the attacker knows the classifier alone.
    """

    images: int
    seconds: float
    images_per_second: float | None
    steps: int
    eval_images: int
    eval_eps: float
    train_loss: float | None = None
    train_clean_accuracy: float | None = None
    train_robust_accuracy: float | None = None
    plain_accuracy: dict[str, float] = {}
    restored_accuracy: dict[str, float] = {}
    warnings: list[str] = []


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainTRN(Training):
    """Trains a restoration network (arXiv 2202.01117).

    Example:
      jobs.TrainTRN(source="digits:train", classifier="CKPT", eps=0.15).run("OUT")
    """

    epochs: int = with_default("epochs", 20)
    optimizer: str = with_default("optimizer", "adamw")
    learning_rate: float = with_default("learning_rate", 1e-3)
    weight_decay: float = with_default("weight_decay", 1e-4)
    eps: str | float | tuple[float, ...] = option(
        help="radius of the perturbation ball for pixels in [0, 1]: 8/255 or 0.031; of "
        "several, separated by commas, one is drawn for each image"
    )
    classifier: str | models.Model = option(
        help="the classifier that is defended: a checkpoint"
    )
    arch: str | None = option(_ARCH, help=f"network to train: {models.RESTORERS}")
    rule: str = option(
        "predicted",
        help="the label whose gradient is shown to the network: "
        f"{', '.join(models.LABEL_RULES)} (every class in turn)",
    )
    mix: tuple[str, ...] | Mapping[str, float] = option(
        ("clean:0.2", "fgsm:0.2", "ffgsm:0.1", "bim:0.15", "pgd:0.2", "mim:0.15"),
        help=f"shares of the attacks trained on, which sum to 1: {train.MIXED}",
    )
    attack_steps: int = option(5, help="gradient steps of bim, pgd and mim", lower=1)
    ce_weight: float = option(
        0.1,
        help="weight of the classifier's cross-entropy beside the mean absolute "
        "difference to the clean image",
        lower=0.0,
    )

    def plan(self, examples: train.Examples) -> train.TrainingPlan:
        """The training of these examples; refuses whatever cannot be used."""
        return _plan(self, examples, loaded_model(self.classifier, "classifier"))

    def run(
        self, out: str | pathlib.Path, machine: TrainingMachine | None = None
    ) -> Result:
        """Trains, measures the network on `eval_source`, and saves it as OUT/model.

        The same call goes on where it was interrupted, and ends with the same weights.

        Returns:
          A `Result` of `TrainTRNSummary` and `TrainTRNRecord`s.
        """
        classifier = loaded_model(self.classifier, "classifier")
        eps, _ = max(_radii(self)), _shares(self)
        content = load_data(self)
        return run_training(
            self,
            out,
            machine,
            plan=_plan(self, content.examples, classifier),
            content=content,
            measure=functools.partial(_measure, self, classifier, eps),
            summarize=functools.partial(_summary, eps),
            kinds=Kinds(TrainTRNSummary, TrainTRNRecord),
            num_classes=classifier.spec.num_classes,
            used={"classifier": classifier},
            origin={
                "rule": self.rule,
                "classifier": models.function_hash(classifier),
            },
        )


def _radii(job: TrainTRN) -> list[float]:
    values: Any = job.eps
    if isinstance(values, str):
        values = values.split(",")
    elif not isinstance(values, tuple | list):
        values = [values]
    return [radius_of(value, "linf") for value in values]


def _shares(job: TrainTRN) -> dict[str, float]:
    """The shares of the attacks by name."""
    if isinstance(job.mix, Mapping):
        return dict(job.mix)
    shares: dict[str, float] = {}
    for part in job.mix:
        name, _, share = part.strip().partition(":")
        try:
            value = float(share)
        except ValueError:
            raise InputError(
                f"`mix`: {part!r} is no share; write clean:0.5,pgd:0.5"
            ) from None
        if name in shares:
            raise InputError(f"`mix` names {name} twice")
        shares[name] = value
    return shares


def _plan(
    job: TrainTRN, examples: train.Examples, classifier: models.Model
) -> train.TrainingPlan:
    radii, shares = _radii(job), _shares(job)
    train.check_classifier(classifier, examples, labeled=True)
    try:
        objective = train.restoration_objective(
            models.predictor(classifier),
            train.make_mix(shares, eps=radii, steps=job.attack_steps),
            rule=job.rule,
            ce_weight=job.ce_weight,
        )
        maps = defenses.map_count(job.rule, classifier.spec.num_classes)
    except ValueError as error:
        raise InputError(str(error)) from error
    reads, known = {"rule": job.rule, "maps": maps}, models.RESTORERS.split(", ")
    arch = job.arch
    if job.init and arch == _ARCH:
        arch = None  # the default is for new networks
    named = dataclasses.replace(job, arch=arch)
    start = load_start(named, examples, reads if arch in known else None)
    spec = start.spec if isinstance(start, models.Model) else start
    if spec.architecture not in known:
        raise InputError(
            f"a {spec.architecture} is {models.model_kind(spec)}, not a restoration "
            f"network: choose one of {models.RESTORERS}"
        )
    if {name: spec.options.get(name) for name in reads} != reads:
        raise InputError(
            f"`init` reads the maps of rule {spec.options.get('rule')!r}, "
            f"{spec.options.get('maps')} of them; `rule`={job.rule} makes {maps}: give "
            "the same rule and a classifier of as many classes"
        )
    return train.plan_training(examples, start, objective, job.config())


class _Classes(NamedTuple):
    """As in `TrainTRNRecord`; int32 []."""

    plain: dict[str, jax.Array]
    restored: dict[str, jax.Array]


def _measure(
    job: TrainTRN,
    classifier: models.Model,
    eps: float,
    model: models.Model,
    source: data.Source,
    folder: runs.OpenRun,
) -> list[str]:
    """Appends a record per image, as it is and under attacks on the classifier alone.

    Returns what could not be read.
    """
    predict = models.predictor(classifier)
    found = {n: attacks.resolve_attack(n, eps=eps, norm="linf") for n in _ATTACKS}
    method = Partial(_classes, attacks=found, defended=defenses.trn(predict, model))
    return append_records(
        job, folder, source, predict=predict, method=method, describe=_fields
    )


def _classes(key, predict, image, label, *, attacks, defended) -> _Classes:
    images = {"clean": image} | {
        name: attack(key, predict, image, label).image
        for name, attack in attacks.items()
    }
    plain, restored = (
        {name: jnp.argmax(f(x)).astype(jnp.int32) for name, x in images.items()}
        for f in (predict, defended)
    )
    return _Classes(plain, restored)


def _fields(record: data.Record, result: _Classes) -> dict[str, Any]:
    return {
        kind: {name: int(label) for name, label in classes.items()}
        for kind, classes in result._asdict().items()
    }


def _summary(eps: float, totals: dict[str, Any], records: list[dict]) -> dict[str, Any]:
    """What it cost, how it ended, what the records say."""
    summary = totals | {"eval_eps": eps}
    for kind in ("plain", "restored") if records else ():
        summary[f"{kind}_accuracy"] = {
            name: sum(record[kind][name] == record["label"] for record in records)
            / len(records)
            for name in records[0][kind]
        }
    return summary | {"warnings": [_UNAWARE] if records else []}
