"""The training of a classifier from what a user gives."""

from mspd_jax.data import Source
from mspd_jax.errors import InputError
from mspd_jax.models import Model, gives_images, model_kind
from mspd_jax.train._examples import Examples
from mspd_jax.train._objective import objective
from mspd_jax.train._occlusion import occluded_objective
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
    occlude: int,
    occlude_at: str,
    keep: list[str],
    **training,
) -> Plan:
    """Builds a plan from values as the flags of train_classifier give them.

    Raises InputError for whatever cannot be used. init: a checkpoint, arch_options:
    JSON. occlude: side of a window, 0 for none; occlude_at: "pixels", or a layer behind
    which it hides neurons and all but a share, out of `keep`, of the others. judged,
    training: as `plan_training` takes them.
    """
    inner = occlude_at != "pixels"
    _check_occlusion(examples, occlude, occlude_at, keep, adversarial)
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
    if inner:
        lowered = occluded_objective(
            start, cut=occlude_at, size=occlude, keep=tuple(map(float, keep)),
            smoothing=label_smoothing,
        )  # fmt: skip
    return plan_training(
        examples, judged, start, lowered, num_classes=spec.num_classes, noise=noise,
        hide=0 if inner else occlude, **training,
    )  # fmt: skip


def _check_occlusion(examples, occlude, occlude_at, keep, adversarial):
    """InputError unless the flags of occlusion fit each other and the images."""
    inner, side = occlude_at != "pixels", min(examples.images.shape[1:3])
    if occlude > side:
        raise InputError(
            f"--occlude={occlude}: the images have {side} pixels a side: give less"
        )
    if inner and not (occlude and keep):
        raise InputError(
            f"--occlude_at={occlude_at} needs --occlude=SIDE of a window in pixels, "
            "and --keep=SHARE of the layer's values"
        )
    if keep and not inner:
        raise InputError("--keep goes with --occlude_at=LAYER")
    if inner and adversarial != "none":
        raise InputError(
            f"--occlude_at={occlude_at} with --adversarial={adversarial}: an adversary "
            "goes with --occlude_at=pixels alone"
        )
    for share in keep:
        try:
            float(share)
        except ValueError as error:
            raise InputError(
                f"--keep={share}: expected shares above 0 to 1, as 0.05"
            ) from error
