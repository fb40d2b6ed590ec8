"""The jobs that a sweep can run, by name."""

import difflib
from typing import Any

from mspd_jax.errors import InputError
from mspd_jax.jobs._certify import Certify
from mspd_jax.jobs._convert import Convert
from mspd_jax.jobs._evaluate import Evaluate
from mspd_jax.jobs._identity import job_name
from mspd_jax.jobs._protect import Protect
from mspd_jax.jobs._revert import Revert
from mspd_jax.jobs._train_classifier import TrainClassifier
from mspd_jax.jobs._train_denoiser import TrainDenoiser
from mspd_jax.jobs._train_trn import TrainTRN

# All that leave in a folder something to find again.
_KINDS = (
    Protect,
    Revert,
    Evaluate,
    Certify,
    TrainClassifier,
    TrainDenoiser,
    TrainTRN,
    Convert,
)
SWEEPABLE: dict[str, Any] = {job_name(kind): kind for kind in _KINDS}


def kind_of(name: Any) -> Any:
    """The class of the job of this name; InputError where there is none."""
    if not isinstance(name, str) or name not in SWEEPABLE:
        close = difflib.get_close_matches(str(name), SWEEPABLE, n=1, cutoff=0.4)
        hint = f"did you mean {close[0]}? " if close else ""
        raise InputError(f"`job`={name}: {hint}(jobs: {', '.join(SWEEPABLE)})")
    return SWEEPABLE[name]
