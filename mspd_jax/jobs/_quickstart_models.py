"""The models of quickstart, trained on the embedded digits."""

import pathlib
from typing import NamedTuple

from mspd_jax import data, drive, models, streams, train
from mspd_jax.errors import InputError

_SOURCE = "digits:train"
_BATCH = 64


class Recipe(NamedTuple):
    """How a model of the story is trained.

    seed: of its weights and batches. widths: channels of its convolutions.
    adversarial: the objective's name.
    """

    seed: int
    widths: tuple[int, ...]
    adversarial: str


def origin_of(recipe: Recipe, *, eps: float, epochs: int) -> dict:
    """What the checkpoint of a recipe says of itself."""
    fields = recipe._asdict() | {"widths": list(recipe.widths)}
    return {"source": _SOURCE, "eps": eps, "epochs": epochs, **fields}


def is_trained(folder: pathlib.Path, origin: dict) -> bool:
    """Whether the model is there already; refuses one that was trained otherwise."""
    if not (folder / "model").exists():
        return False
    found = models.load_model(folder).spec.origin
    if found != origin:
        raise InputError(
            f"{folder} was trained otherwise ({found}); name another `out`"
        )
    return True


def train_recipe(folder: pathlib.Path, recipe: Recipe, origin: dict) -> None:
    """Trains a model on the digits and saves it in `folder`, with its origin."""
    eps, epochs = origin["eps"], origin["epochs"]
    images, labels = data.load_arrays(data.open_source(_SOURCE))
    steps = epochs * (len(labels) // _BATCH)
    schedule = train.learning_rate_schedule("cosine", peak=5e-3, steps=steps)
    spec = models.ModelSpec(
        architecture="small_cnn",
        options={"widths": list(recipe.widths)},
        mean=(0.0,),
        std=(1.0,),
        num_classes=10,
        image_shape=(8, 8, 1),
        origin=origin,
    )
    plan = train.TrainingPlan(
        key=streams.run_key(recipe.seed),
        start=spec,
        objective=train.objective(recipe.adversarial, eps=eps),
        optimizer=train.optimizer("adamw", learning_rate=schedule),
        epochs=epochs,
        batch_size=_BATCH,
    )
    with drive.progress_bar(total=steps) as bar:
        for progress in train.train_steps(plan, images, labels):  # noqa: B007
            bar.update()
    model = train.trained_model(spec, progress.state())
    models.save_model(folder / "model", model)
