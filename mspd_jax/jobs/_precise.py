"""The field that says how precisely MSPD and attacks compute."""

from mspd_jax import models
from mspd_jax.jobs._option import option


def precision_option() -> str:
    """A field of jobs."""
    return option(
        "float32",
        help="how networks compute the passes of MSPD and of attacks: float32, tf32 "
        "(as recent GPUs; on a CPU it is float32), bfloat16 (weights and activations); "
        "labels and accuracies come from float32",
        choices=models.PRECISIONS,
        later=True,
    )
