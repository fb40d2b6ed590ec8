"""The training of a classifier from what a user gives."""

from mspd_jax.data import Source
from mspd_jax.errors import InputError
from mspd_jax.models import Model, gives_images, model_kind
from mspd_jax.train._examples import Examples
from mspd_jax.train._objective import objective
from mspd_jax.train._plan import Plan, plan_training
from mspd_jax.train._start import start_of


def make_plan(
    examples: Examples,
    judged: Source | None,
    *,
    init: str | None,
    arch: str | None,
    arch_options: str,
    adversarial: str,
    eps: float | None,
    norm: str,
    attack_steps: int | None,
    step_size: float | None,
    beta: float | None,
    noise: float,
    label_smoothing: float,
    **training,
) -> Plan:
    """Builds a plan from values as the flags of train_classifier give them.

    Raises InputError for whatever cannot be used. init: a checkpoint, arch_options:
    JSON. judged, training: as `plan_training` takes them.
    """
    if noise and adversarial != "none":
        raise InputError(
            f"--noise={noise} with --adversarial={adversarial}: an adversary needs "
            "images in [0, 1]; choose one of the two"
        )
    try:
        lowered = objective(
            adversarial,
            eps=eps,
            norm=norm,
            steps=attack_steps,
            step_size=step_size,
            beta=beta,
            smoothing=label_smoothing,
        )
    except ValueError as error:
        raise InputError(str(error)) from error
    start = start_of(examples, init=init, arch=arch, arch_options=arch_options)
    spec = start.spec if isinstance(start, Model) else start
    if gives_images(spec):
        kind = model_kind(spec)
        raise InputError(f"a {spec.architecture} is {kind}, not a classifier")
    return plan_training(
        examples, judged, start, lowered, num_classes=spec.num_classes, noise=noise,
        **training,
    )  # fmt: skip
