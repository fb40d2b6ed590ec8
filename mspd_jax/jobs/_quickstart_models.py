"""The models of quickstart, trained on the embedded digits."""

import pathlib
from typing import Any

from mspd_jax import data, drive, models, paths, streams, train
from mspd_jax.errors import InputError

_SOURCE = "digits:train"
_BATCH = 64
# By name: the seed of weights and batches, channels of the convolutions, the objective.
RECIPES: dict[str, dict[str, Any]] = {
    "surrogate": {"seed": 0, "widths": [16, 32, 64], "adversarial": "pgd"},
    "target A": {"seed": 1, "widths": [32, 64], "adversarial": "pgd"},
    "target B": {"seed": 2, "widths": [24, 48, 96], "adversarial": "fgsm"},
}


def origin_of(name: str, *, eps: float, epochs: int) -> dict[str, Any]:
    """What the checkpoint of a recipe says of itself."""
    return {"source": _SOURCE, "eps": eps, "epochs": epochs, **RECIPES[name]}


def is_trained(folder: pathlib.PurePath, origin: dict[str, Any]) -> bool:
    """Whether the model is there already; refuses one that was trained otherwise."""
    if not paths.exists(folder / "model"):
        return False
    found = models.load_model(folder).spec.origin
    if found != origin:
        raise InputError(
            f"{folder} was trained otherwise ({found}); name another `out`"
        )
    return True


def train_recipe(folder: pathlib.PurePath, origin: dict[str, Any]) -> None:
    """Trains a model as its origin says and saves it in `folder`."""
    images, labels = data.load_arrays(data.open_source(_SOURCE))
    steps = origin["epochs"] * (len(labels) // _BATCH)
    schedule = train.learning_rate_schedule("cosine", peak=5e-3, steps=steps)
    spec = models.ModelSpec(
        architecture="small_cnn",
        options={"widths": origin["widths"]},
        mean=(0.0,),
        std=(1.0,),
        num_classes=10,
        image_shape=(8, 8, 1),
        origin=origin,
    )
    plan = train.TrainingPlan(
        key=streams.run_key(origin["seed"]),
        start=spec,
        objective=train.objective(origin["adversarial"], eps=origin["eps"]),
        optimizer=train.optimizer("adamw", learning_rate=schedule),
        epochs=origin["epochs"],
        batch_size=_BATCH,
    )
    with drive.progress_bar(total=steps) as bar:
        for progress in train.train_steps(plan, images, labels):  # noqa: B007
            bar.update()
    model = train.trained_model(spec, progress.state())
    models.save_model(folder / "model", model)
