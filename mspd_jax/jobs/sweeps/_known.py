"""The jobs that a sweep can run, by name."""

import difflib
from collections.abc import Collection
from typing import Any

from mspd_jax.errors import InputError
from mspd_jax.jobs._certify import Certify
from mspd_jax.jobs._convert import Convert
from mspd_jax.jobs._evaluate import Evaluate
from mspd_jax.jobs._identity import job_name
from mspd_jax.jobs._protect import Protect
from mspd_jax.jobs._protect_pictures import ProtectPictures
from mspd_jax.jobs._revert import Revert
from mspd_jax.jobs._train_classifier import TrainClassifier
from mspd_jax.jobs._train_denoiser import TrainDenoiser
from mspd_jax.jobs._train_trn import TrainTRN

# All that leave in a folder something to find again.
_KINDS = (
    Protect,
    ProtectPictures,
    Revert,
    Evaluate,
    Certify,
    TrainClassifier,
    TrainDenoiser,
    TrainTRN,
    Convert,
)
SWEEPABLE: dict[str, Any] = {job_name(kind): kind for kind in _KINDS}


def jobs_meant(name: str, known: Collection[str]) -> str:
    """Which of some jobs a wrong name may mean, and what they are called."""
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    hint = f"did you mean {close[0]}? " if close else ""
    return f"{hint}(jobs: {', '.join(known)})"


def kind_of(name: Any) -> Any:
    """The class of the job of this name; InputError where there is none."""
    if not isinstance(name, str) or name not in SWEEPABLE:
        raise InputError(f"`job`={name}: {jobs_meant(str(name), SWEEPABLE)}")
    return SWEEPABLE[name]
