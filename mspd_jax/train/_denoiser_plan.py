"""The training of a denoiser from what a user gives."""

from collections.abc import Sequence

import jax

from mspd_jax.data import Source, check_compatible
from mspd_jax.errors import InputError
from mspd_jax.models import Model, gives_images, predictor
from mspd_jax.train._denoise import denoiser_objective
from mspd_jax.train._examples import Examples
from mspd_jax.train._optimizer import optimizer as optimizer_by_name
from mspd_jax.train._plan import Plan, rate_of
from mspd_jax.train._start import augmentation_of, start_of


def make_denoiser_plan(
    examples: Examples,
    judged: Source | None,
    *,
    objective: str,
    sigma: float,
    classifiers: Sequence[Model],
    init: str | None,
    arch: str | None,
    arch_options: str,
    augment: str,
    epochs: int,
    batch_size: int,
    optimizer: str,
    learning_rate: float,
    weight_decay: float,
    schedule: str,
    warmup_epochs: float,
    clip: float | None,
    ema: float | None,
    seed: int,
) -> Plan:
    """Builds a plan from values as the flags of train_denoiser give them.

    Raises InputError for whatever cannot be used. judged: where the denoiser will be
    measured, if anywhere. classifiers: what the objectives stab and clf need.
    """
    try:
        lowered = denoiser_objective(
            objective, sigma=sigma, classifiers=[predictor(m) for m in classifiers]
        )
        rate = rate_of(
            examples,
            epochs=epochs,
            batch_size=batch_size,
            schedule=schedule,
            learning_rate=learning_rate,
            warmup_epochs=warmup_epochs,
        )
    except ValueError as error:
        raise InputError(str(error)) from error
    start = start_of(examples, init=init, arch=arch, arch_options=arch_options)
    spec = start.spec if isinstance(start, Model) else start
    if not gives_images(spec):
        raise InputError(f"a {spec.architecture} is a classifier, not a denoiser")
    _check_classifiers(classifiers, examples, labelled=objective == "clf")
    if judged is not None:
        classes = classifiers[0].spec.num_classes if classifiers else None
        check_compatible(judged, image_shape=spec.image_shape, num_classes=classes)
    return Plan(
        key=jax.random.key(seed),
        start=start,
        objective=lowered,
        optimizer=optimizer_by_name(
            optimizer, learning_rate=rate, weight_decay=weight_decay, clip=clip
        ),
        schedule=rate,
        augment=augmentation_of(augment, examples),
        ema=ema,
        epochs=epochs,
        batch_size=batch_size,
    )


def _check_classifiers(classifiers, examples, *, labelled: bool) -> None:
    """InputError unless they agree with each other and with the data."""
    shape = tuple(examples.images.shape[1:])
    counts = {model.spec.num_classes for model in classifiers}
    if len(counts) > 1:
        raise InputError(f"--classifier: models of {sorted(counts)} classes; give one")
    for model in classifiers:
        name, wanted = model.spec.architecture, tuple(model.spec.image_shape)
        if wanted != shape:
            raise InputError(
                f"--classifier: a {name} for images {wanted}, the training data have "
                f"{shape}: give a model or data that fit"
            )
    if labelled and counts != {examples.num_classes}:
        raise InputError(
            f"--classifier has {counts.pop()} classes, the training data have "
            f"{examples.num_classes}: give a model or data that fit"
        )
