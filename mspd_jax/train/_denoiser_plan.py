"""The training of a denoiser from what a user gives."""

from collections.abc import Sequence

from mspd_jax.data import Source
from mspd_jax.errors import InputError
from mspd_jax.models import Model, model_kind, predictor
from mspd_jax.train._denoise import denoiser_objective
from mspd_jax.train._examples import Examples
from mspd_jax.train._plan import Plan, plan_training
from mspd_jax.train._start import check_classifier, start_of


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
    **training,
) -> Plan:
    """Builds a plan from values as the flags of train_denoiser give them.

    Raises InputError for whatever cannot be used. classifiers: what the objectives
    stab and clf need. judged, training: as `plan_training` takes them.
    """
    try:
        lowered = denoiser_objective(
            objective, sigma=sigma, classifiers=[predictor(m) for m in classifiers]
        )
    except ValueError as error:
        raise InputError(str(error)) from error
    start = start_of(examples, init=init, arch=arch, arch_options=arch_options)
    spec = start.spec if isinstance(start, Model) else start
    if model_kind(spec) != "a denoiser":
        kind = model_kind(spec)
        raise InputError(f"a {spec.architecture} is {kind}, not a denoiser")
    counts = {model.spec.num_classes for model in classifiers}
    if len(counts) > 1:
        raise InputError(f"--classifier: models of {sorted(counts)} classes; give one")
    for model in classifiers:
        check_classifier(model, examples, labelled=objective == "clf")
    return plan_training(
        examples, judged, start, lowered, num_classes=next(iter(counts), None),
        **training,
    )  # fmt: skip
