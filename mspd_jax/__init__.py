"""Preemptive adversarial defense: images, models and attacks as plain functions.

    import mspd_jax as mj
    mj.preempt.protect(key, predict, image, label, eps=8 / 255)

Each family is imported when it is first named.
"""

import importlib
from types import ModuleType

__version__ = "0.2.0"

FAMILIES = (
    "attacks",
    "convolution",
    "data",
    "defenses",
    "drive",
    "evaluate",
    "jobs",
    "models",
    "patch",
    "paths",
    "pictures",
    "preempt",
    "query",
    "report",
    "runs",
    "smoothing",
    "streams",
    "train",
)


def __getattr__(name: str) -> ModuleType:
    if name in FAMILIES:
        return importlib.import_module(f"mspd_jax.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *FAMILIES])
