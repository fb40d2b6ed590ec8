"""The chapters of quickstart: train, protect, revert, attack, each in its own folder.

Every folder is a run folder like those of the other mains: it resumes, and `report`
reads it.
"""

import functools
import pathlib
from collections.abc import Callable
from typing import NamedTuple

import jax
from jax.tree_util import Partial

from launch import _job, _protected, _verdicts
from mspd_jax import attacks, data, models, train
from mspd_jax.evaluate import accuracies, evaluation


class Recipe(NamedTuple):
    """How a model of the story is trained.

    seed: of its weights and batches. widths: channels of its convolutions.
    adversarial: the objective's name.
    """

    seed: int
    widths: tuple[int, ...]
    adversarial: str


def trained(
    folder: pathlib.Path, recipe: Recipe, *, eps: float, epochs: int
) -> models.Model:
    """The model in `folder`, trained on the digits first if it is not there yet."""
    if (folder / "model").exists():
        return models.load_model(folder)
    images, labels = data.load_arrays(data.open_source("digits:train"))
    batch_size = 64
    schedule = train.learning_rate_schedule(
        "cosine", peak=5e-3, steps=epochs * (len(labels) // batch_size)
    )
    spec = models.ModelSpec(
        "small_cnn", {"widths": list(recipe.widths)}, (0.0,), (1.0,), 10, (8, 8, 1),
        {"source": "digits:train", "eps": eps, **recipe._asdict()},
    )  # fmt: skip
    model = train.fit(
        jax.random.key(recipe.seed), spec, images, labels, epochs=epochs,
        objective=train.objective(recipe.adversarial, eps=eps),
        optimizer=train.optimizer("adamw", learning_rate=schedule),
        batch_size=batch_size,
    )  # fmt: skip
    models.save_model(folder / "model", model)
    return model


def written(
    folder: pathlib.Path, job: str, source: str, surrogate: models.Model,
    function: Callable, *, eps: float, limit: int | None = None, **settings,
) -> dict:  # fmt: skip
    """Protects or reverts the images of a source, labels by the surrogate itself."""
    opened = data.open_source(source, limit=limit)

    def describe(out, record, result):
        saved = _protected.save_image(out, record, result.image, eps=eps, norm="linf")
        return {"used_label": int(result.label), "name": record.name, **saved}

    flags = {"source": source, "limit": limit, "eps": str(eps), "norm": "linf"}
    done = _job.run_job(
        job, predict=models.predictor(surrogate), source=opened, describe=describe,
        method=_protected.method(function, "coupled", traced={"eps": eps}),
        used={"surrogate": surrogate}, out=folder,
        # Two batches at least: the first one compiles and is not timed.
        batch_size=min(_job.FLAGS.batch_size, (len(opened.indices) + 1) // 2),
        flags=flags | {"labeler": "coupled"} | settings,
    )  # fmt: skip
    return _job.write_summary(
        done, _protected.summarize(done.records, labeler="coupled")
    )


def with_coupled_labels(defend: Callable) -> Callable:
    """A defence that takes its label as given, for `written`."""
    return functools.partial(_protected.labelled, defend=defend)


def attacked(
    folder: pathlib.Path, source: str, name: str, target: models.Model, *, eps: float,
    attack: str,
) -> list[dict]:  # fmt: skip
    """Attacks a model on the images of a source, and saves what comes of it."""
    opened = data.open_source(source)
    chosen = attacks.resolve_attacks(attack, eps=eps, norm="linf")
    done = _job.run_job(
        "evaluate", predict=models.predictor(target), source=opened,
        method=Partial(evaluation("linf"), attacks=chosen, eps=eps),
        describe=functools.partial(_verdicts.describe, save_images=True),
        used={"target": target}, out=folder,
        flags={"source": source, "target": name, "attack": attack, "eps": str(eps),
               "norm": "linf"},
    )  # fmt: skip
    _job.write_summary(done, accuracies(done.records))
    return done.records
