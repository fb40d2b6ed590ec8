"""The chapters of quickstart: train, protect, revert, attack, each in its own folder.

Every folder is a run folder like those of the other mains: it resumes, and `report`
reads it.
"""

import functools
import pathlib
from collections.abc import Callable, Iterable
from typing import NamedTuple

import jax

from launch import _job, _protected, _survey
from launch._passes import images_per_block
from mspd_jax import data, models, streams, train
from mspd_jax.errors import InputError
from mspd_jax.evaluate import accuracies
from mspd_jax.report import percent


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
    origin = {"source": "digits:train", "eps": eps, "epochs": epochs}
    origin |= recipe._asdict() | {"widths": list(recipe.widths)}
    if (folder / "model").exists():
        model = models.load_model(folder)
        if model.spec.origin != origin:
            raise InputError(
                f"{folder} was trained otherwise ({model.spec.origin}); name another "
                "--out"
            )
        return model
    print(f"training {folder.name}: {recipe.adversarial}, {epochs} epochs", flush=True)
    images, labels = data.load_arrays(data.open_source("digits:train"))
    batch_size = 64
    schedule = train.learning_rate_schedule(
        "cosine", peak=5e-3, steps=epochs * (len(labels) // batch_size)
    )
    spec = models.ModelSpec(
        "small_cnn", {"widths": list(recipe.widths)}, (0.0,), (1.0,), 10, (8, 8, 1),
        origin,
    )  # fmt: skip
    model = train.fit(
        streams.run_key(recipe.seed), spec, images, labels, epochs=epochs,
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
    describe = functools.partial(_protected.describe, eps=eps, norm="linf")
    flags = {"source": source, "limit": limit, "eps": str(eps), "norm": "linf",
             "seed": _job.FLAGS.seed}  # fmt: skip
    done = _job.run_job(
        job, predict=models.predictor(surrogate), source=opened, describe=describe,
        method=_protected.method(function, "coupled", traced={"eps": eps}),
        used={"surrogate": surrogate}, out=folder,
        block=images_per_block(surrogate, draws=20),
        # Two batches at least: the first one compiles and is not timed.
        batch_size=min(
            _job.FLAGS.batch_size, -(-len(opened.indices) // (2 * jax.device_count()))
        ),
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
    settings = _survey.Settings(
        source=data.open_source(source), surrogate=None, attack=attack, norm="linf",
        each_alone=False, eight_bit=False, given=None, check_images=0, clean_gate=0.0,
        save_images=True,
    )  # fmt: skip
    part = _survey.Part(name, name, target, str(eps), eps)
    done = _survey.evaluated(
        settings, part, folder, source=source, target=name, attack=attack,
        eps=str(eps), norm="linf", seed=_job.FLAGS.seed,
    )  # fmt: skip
    return done.job.records


def table(sets: dict, results: dict) -> list[dict]:
    """A row per image set; above the baseline's row, the others on the same images.

    sets: by title (folder, source, seconds per image); results: records by (title,
    name of model).
    """
    few = set.intersection(*({r["index"] for r in rs} for rs in results.values()))
    rows = []
    for title, (_, _, seconds) in sets.items():
        rows.append(_row(title, seconds, results, None))
    for title in ("unprotected", "MSPD"):
        rows.insert(-1, _row(title, sets[title][2], results, few))
    return rows


def _row(title: str, seconds: float | None, results: dict, only: set | None) -> dict:
    row = {"images": title, "n": 0}
    for (other, name), records in results.items():
        if other != title:
            continue
        records = [r for r in records if only is None or r["index"] in only]
        found = accuracies(records)
        row["n"] = len(records)
        row[name] = " / ".join(
            percent(found[k], len(records))
            for k in ("clean_accuracy", "robust_accuracy")
        )
    return row | {"s/image": seconds and f"{seconds:.4f}"}


def check_folder(out: pathlib.Path, names: Iterable[str]) -> None:
    """Refuses a folder that holds something else than this story."""
    known = {name.replace(" ", "_") for name in names} | {"mspd", "report.md"}
    if out.exists() and any(out.iterdir()):
        if not known & {path.name for path in out.iterdir()}:
            raise InputError(
                f"--out={out} is not empty and holds no quickstart; name another folder"
            )
