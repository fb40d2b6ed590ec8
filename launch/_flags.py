"""The flags that mean the same in every main, each defined once."""

import math
from fractions import Fraction

from absl import flags

from mspd_jax.errors import InputError

# Flags defined through this module count as the calling main's own in --help.
flags.disclaim_key_flags()

_HELP = {
    "source": "where the images come from: digits:test (embedded), "
    "tfds:NAME:SPLIT, folder:PATH (class folders, files like 00042_7.png, "
    "unlabelled photos, or the output of protect) or npz:PATH (arrays x, y)",
    "data_dir": "folder of prepared TFDS data sets, for tfds: sources",
    "surrogate": "the model whose gradients are used: a checkpoint folder, or the "
    "name of a model that ships with the package",
    "target": "the model that is judged: a checkpoint folder, or the name of a model "
    "that ships with the package",
    "labeler": "who says what an image shows: a checkpoint (an accurate classifier), "
    "'coupled' (the surrogate itself) or 'truth' (the label of the source)",
    "norm": "norm of the perturbation ball",
    "eps": "radius of the perturbation ball for pixels in [0, 1]: 8/255 or 0.031",
    "sigma": "standard deviation of Gaussian noise on pixels in [0, 1], as in 0.25",
    "limit": "use the first LIMIT images only",
    "seed": "seed of all randomness",
    "block": "images that one program computes at once; it belongs to the run, as "
    "results depend on it by rounding (default: what suits the method and the device)",
    "batch_size": "images per device between two writes to the disk, rounded up to "
    "whole blocks; results do not depend on it",
    "samples": "number of noise draws per smoothed gradient",
    "chunk": "noise draws, or windows over a patch, that are worked on at once: lower "
    "it to save memory (default: what suits the batch, the images and the device)",
    "out": "folder for the results; the same command resumes an unfinished run",
}

_DEFINE = {
    "norm": lambda name, default: flags.DEFINE_enum(
        name, default or "linf", ["linf", "l2"], _HELP[name]
    ),
    "sigma": lambda name, default: flags.DEFINE_float(
        name, default, _HELP[name], lower_bound=1e-6
    ),
    "limit": lambda name, default: flags.DEFINE_integer(name, default, _HELP[name]),
    "seed": lambda name, default: flags.DEFINE_integer(name, default or 0, _HELP[name]),
    "batch_size": lambda name, default: flags.DEFINE_integer(
        name, default or 32, _HELP[name], lower_bound=1
    ),
    "block": lambda name, default: flags.DEFINE_integer(
        name, default, _HELP[name], lower_bound=1
    ),
    "samples": lambda name, default: flags.DEFINE_integer(
        name, default or 20, _HELP[name], lower_bound=1
    ),
    "chunk": lambda name, default: flags.DEFINE_integer(
        name, default, _HELP[name], lower_bound=1
    ),
}


def define(*names: str, required: tuple[str, ...] = (), **defaults) -> None:
    """Defines the named common flags, with defaults where this main has its own."""
    for name in names:
        make = _DEFINE.get(
            name, lambda name, default: flags.DEFINE_string(name, default, _HELP[name])
        )
        make(name, defaults.get(name))
        if name in required:
            flags.mark_flag_as_required(name)
    _define_cluster()


def _define_cluster() -> None:
    flags.DEFINE_string(
        "coordinator", None, "address:port of process 0, for runs over several hosts"
    )
    flags.DEFINE_integer("num_processes", None, "number of processes of the run")
    flags.DEFINE_integer("process_id", None, "which of the processes this one is")
    flags.DEFINE_bool(
        "cluster", False, "join the cluster that JAX finds by itself (TPU pod, SLURM)"
    )


def parse_eps(text: str, norm: str) -> float:
    """`8/255` or `0.031` as a number; refuses radii that no image needs."""
    try:
        value = float(Fraction(text.replace(" ", "")))
    except (ValueError, ZeroDivisionError):
        value = math.nan
    if not value > 0 or math.isinf(value):
        raise InputError(f"--eps={text}: expected a positive number like 8/255 or 0.03")
    if norm == "linf" and value > 1:
        raise InputError(
            f"--eps={text}: pixels lie in [0, 1], so an l_inf radius is at most 1; "
            f"did you mean --eps={text}/255?"
        )
    return value
