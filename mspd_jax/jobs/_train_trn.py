"""Training a Two-stream Restoration Network for a classifier that stays as it is."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.tree_util import Partial

from mspd_jax import attacks, defenses, models, train
from mspd_jax.errors import InputError
from mspd_jax.jobs._frame import Kinds
from mspd_jax.jobs._option import option
from mspd_jax.jobs._training import Training, loaded_model, with_default
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
    compile_seconds: float | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainTRN(Training):
    """Trains a restoration network (arXiv 2202.01117).

    Example:
      jobs.TrainTRN(source="digits:train", classifier="CKPT", eps=0.15).run("OUT")
    """

    KINDS = Kinds(TrainTRNSummary, TrainTRNRecord)

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
    attacker: str = option(
        "unaware",
        help="what they attack: unaware, the classifier alone, as published; adaptive, "
        "the classifier behind the network as it stands, which takes longer",
        choices=train.ATTACKERS,
        later=True,
    )
    ce_weight: float = option(
        0.1,
        help="weight of the classifier's cross-entropy beside the mean absolute "
        "difference to the clean image",
        lower=0.0,
    )

    def _classifiers(self) -> dict[str, models.Model]:
        return {"classifier": loaded_model(self.classifier, "classifier")}

    def _origin(self, classifiers) -> dict[str, Any]:
        digest = models.function_hash(classifiers["classifier"])
        return {"rule": self.rule, "classifier": digest}

    def _radii(self) -> list[float]:
        values: Any = self.eps
        if isinstance(values, str):
            values = values.split(",")
        elif not isinstance(values, tuple | list):
            values = [values]
        return [radius_of(value, "linf") for value in values]

    def _plan(self, examples, classifiers) -> train.TrainingPlan:
        classifier = classifiers["classifier"]
        mix = train.make_mix(
            _shares(self.mix), eps=self._radii(), steps=self.attack_steps
        )
        train.check_classifier(classifier, examples, labeled=True)
        objective = train.restoration_objective(
            models.predictor(classifier),
            mix,
            rule=self.rule,
            ce_weight=self.ce_weight,
            attacker=self.attacker,
        )
        maps = defenses.map_count(self.rule, classifier.spec.num_classes)
        reads, known = {"rule": self.rule, "maps": maps}, models.RESTORERS.split(", ")
        named = self
        if self.init and self.arch == _ARCH:  # the default is for new networks
            named = dataclasses.replace(self, arch=None)
        start = named._start(examples, **(reads if named.arch in known else {}))
        spec = train.spec_of(start)
        if spec.architecture not in known:
            raise InputError(
                f"a {spec.architecture} is {models.model_kind(spec)}, not a "
                f"restoration network: choose one of {models.RESTORERS}"
            )
        if {name: spec.options.get(name) for name in reads} != reads:
            raise InputError(
                f"`init` reads the maps of rule {spec.options.get('rule')!r}, "
                f"{spec.options.get('maps')} of them; `rule`={self.rule} makes {maps}: "
                "give the same rule and a classifier of as many classes"
            )
        return self._planned(examples, start, objective)

    def _method(self, classifiers, model) -> tuple[Callable, Callable]:
        """The attacks of the records are on the classifier alone."""
        predict, eps = models.predictor(classifiers["classifier"]), max(self._radii())
        found = {n: attacks.resolve_attack(n, eps=eps, norm="linf") for n in _ATTACKS}
        behind = defenses.trn(predict, model)
        return predict, Partial(_classes, attacks=found, defended=behind)

    def _summary(
        self, totals: dict[str, Any], records: Sequence[dict]
    ) -> dict[str, Any]:
        summary = totals | {"eval_eps": max(self._radii())}
        for kind in ("plain", "restored") if records else ():
            summary[f"{kind}_accuracy"] = {
                name: sum(record[kind][name] == record["label"] for record in records)
                / len(records)
                for name in records[0][kind]
            }
        return summary | {"warnings": [_UNAWARE] if records else []}


def _shares(mix: tuple[str, ...] | Mapping[str, float]) -> dict[str, float]:
    """The shares of the attacks by name."""
    if isinstance(mix, Mapping):
        return dict(mix)
    shares: dict[str, float] = {}
    for part in mix:
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


def _classes(key, predict, image, label, *, attacks, defended) -> dict:
    """Classes of an image by kind of attack, as in the record."""
    images = {"clean": image} | {
        name: attack(key, predict, image, label).image
        for name, attack in attacks.items()
    }

    def classes(f) -> dict[str, jax.Array]:
        return {name: jnp.argmax(f(x)).astype(jnp.int32) for name, x in images.items()}

    return {"plain": classes(predict), "restored": classes(defended)}
