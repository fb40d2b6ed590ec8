"""What a trained restoration network is worth: records per image, and the totals."""

import pathlib
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.tree_util import Partial

from mspd_jax import drive, runs
from mspd_jax.attacks import resolve_attacks
from mspd_jax.data import Source
from mspd_jax.defenses import trn
from mspd_jax.models import Model, predictor
from mspd_jax.train._final import append_measured, training_totals
from mspd_jax.train._plan import Plan, plan_spec
from mspd_jax.train._run import Trained
from mspd_jax.train._step import trained_model

# Of an attacker who does not know of the network; launch.evaluate has the others.
_ATTACKS = "fgsm,pgd-10"


class Restored(NamedTuple):
    """Classes of one image, by kind of attack ("clean" for none), int32 [].

    plain: by the classifier alone; restored: behind the network.
    """

    plain: dict[str, jax.Array]
    restored: dict[str, jax.Array]


def restoration_records(
    plan: Plan,
    trained: Trained,
    source: Source,
    run: runs.OpenRun,
    *,
    classifier: Model,
    eps: float,
    hidden: bool = False,
) -> list[str]:
    """Appends a record per image of the source to the run; returns what was unreadable.

    Each image as it is and under fgsm and pgd-10 (l_inf, eps) on the classifier alone.
    Images that have a record are not computed again.
    """
    predict = predictor(classifier)
    network = trained_model(plan_spec(plan), trained.state)
    attacks = resolve_attacks(_ATTACKS, eps=eps, norm="linf")
    method = Partial(_measured, attacks=attacks, defended=trn(predict, network))
    return append_measured(
        plan, source, run, predict=predict, method=method, describe=_record,
        hidden=hidden,
    )  # fmt: skip


def restoration_summary(
    folder: pathlib.Path, trained: Trained, records: list[dict], *, eps: float
) -> dict:
    """The totals of a training: what it cost, how it ended, what the records say.

    eps: radius of the attacks, all in l_inf. plain_accuracy and restored_accuracy: by
    kind of attack, without and with the network; the attacker knows the classifier
    alone.
    """
    summary = training_totals(folder, trained, records) | {"eval_eps": eps}
    for kind in ("plain", "restored") if records else ():
        summary[f"{kind}_accuracy"] = {
            name: sum(record[kind][name] == record["label"] for record in records)
            / len(records)
            for name in records[0][kind]
        }
    told = "the attacker of these figures does not know of the network: see evaluate"
    return summary | {"warnings": [told] if records else []}


def _measured(key, predict, image, label, *, attacks, defended) -> Restored:
    images = {"clean": image} | {
        name: attack(key, predict, image, label).image
        for name, attack in attacks.items()
    }
    plain, restored = (
        {name: jnp.argmax(f(x)).astype(jnp.int32) for name, x in images.items()}
        for f in (predict, defended)
    )
    return Restored(plain, restored)


def _record(outcome: drive.Outcome) -> dict:
    record, result = outcome.record, outcome.result
    return {
        "index": record.index,
        "label": record.label,
        **{
            kind: {name: int(label) for name, label in classes.items()}
            for kind, classes in result._asdict().items()
        },
    }
