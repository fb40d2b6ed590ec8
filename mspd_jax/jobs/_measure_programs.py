"""What an evaluation has compiled: its stages, and the checks of the model."""

from typing import Any

from mspd_jax import attacks, drive, evaluate
from mspd_jax.jobs._machine import Machine
from mspd_jax.jobs._measure import Inputs, attacked_by, block_of
from mspd_jax.jobs._values import image_shape_of
from mspd_jax.streams import stream


def evaluation_programs(
    job: Any, machine: Machine, inputs: Inputs
) -> list[drive.Program]:
    """The programs of the stages; the checks of the model have some of their own."""
    return evaluate.stage_programs(
        stream(job.seed, "evaluate"),
        attacked_by(inputs),
        _planned(job, inputs),
        image_shape=image_shape_of(inputs.target, inputs.source),
        threat=evaluate.Threat(inputs.radius, job.norm, job.eight_bit, job.precision),
        block=block_of(machine, inputs),
        with_image=job.save_images,
    )


def run_checks(job: Any, inputs: Inputs) -> bool:
    """Looks at the model as `measured` does; whether there was anything to do."""
    if not job.check_images:
        return False
    evaluate.run_checks(
        stream(job.seed, "evaluate"),
        attacked_by(inputs),
        inputs.source,
        _planned(job, inputs),
        attack=inputs.attacks,
        eps=inputs.radius,
        norm=job.norm,
        images=job.check_images,
    )
    return True


def _planned(job: Any, inputs: Inputs) -> dict[str, attacks.Staged]:
    return evaluate.planned(
        attacked_by(inputs),
        inputs.source,
        attack=inputs.attacks,
        eps=inputs.radius,
        norm=job.norm,
        surrogate=inputs.surrogate and inputs.surrogate.predict,
        views=inputs.behind and inputs.behind.views,
        given=inputs.given,
    )
