"""What a trained denoiser is worth: a record per evaluation image, and the totals."""

import math
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.tree_util import Partial

from mspd_jax import drive, runs
from mspd_jax.data import Source
from mspd_jax.models import Model, predictor, restorer
from mspd_jax.train._augment import add_noise
from mspd_jax.train._final import append_measured, training_totals
from mspd_jax.train._plan import Plan, plan_spec
from mspd_jax.train._run import Trained
from mspd_jax.train._step import trained_model


class Restored(NamedTuple):
    """One image under one draw of noise.

    mse, mse_noisy: mean squared error of the restored and of the noisy image.
    predictions, predictions_noisy: class by each of the classifiers, int32 [M].
    """

    mse: jax.Array
    mse_noisy: jax.Array
    predictions: jax.Array
    predictions_noisy: jax.Array


def denoiser_records(
    plan: Plan,
    trained: Trained,
    source: Source,
    run: runs.OpenRun,
    *,
    sigma: float,
    classifiers: Sequence[Model],
    hidden: bool = False,
) -> list[str]:
    """Appends a record per image of the source to the run; returns what was unreadable.

    Images that have a record are not computed again.
    """
    predict = restorer(trained_model(plan_spec(plan), trained.state))
    method = Partial(
        _restored,
        classifiers=tuple(predictor(model) for model in classifiers),
        sigma=jnp.asarray(sigma, jnp.float32),
    )
    return append_measured(
        plan, source, run, predict=predict, method=method, describe=_record,
        hidden=hidden,
    )  # fmt: skip


def denoiser_summary(
    folder: pathlib.Path, trained: Trained, records: list[dict]
) -> dict:
    """The totals of a training: what it cost, how it ended, what the records say.

    psnr: of the mean squared error over all records, in decibel. noisy_accuracy,
    restored_accuracy: of the first classifier, on one draw of noise per image.
    """
    summary = training_totals(folder, trained, records) | {"warnings": []}
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


def _restored(key, predict, image, label, *, classifiers, sigma) -> Restored:
    del label
    noisy = add_noise(key, image, sigma=sigma)
    restored = predict(noisy)
    return Restored(
        jnp.mean((restored - image) ** 2),
        jnp.mean((noisy - image) ** 2),
        *(
            jnp.asarray([jnp.argmax(f(x)) for f in classifiers], jnp.int32)
            for x in (restored, noisy)
        ),
    )


def _record(outcome: drive.Outcome) -> dict:
    record, result = outcome.record, outcome.result
    return {
        "index": record.index,
        "label": record.label,
        "mse": float(result.mse),
        "mse_noisy": float(result.mse_noisy),
        "predictions": result.predictions.tolist(),
        "predictions_noisy": result.predictions_noisy.tolist(),
    }
