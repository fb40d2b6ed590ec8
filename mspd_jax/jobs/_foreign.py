"""Models that are no checkpoints: a function of the user's own code, an ONNX file."""

import hashlib
import os
import pathlib
import sys
from collections.abc import Callable
from typing import Any

from mspd_jax import models, query
from mspd_jax.errors import InputError, first_line
from mspd_jax.jobs._function_digest import function_digest

_PYTHON, _ONNX = "python:", ".onnx"
MODEL_NAMES = (
    "a checkpoint folder, the name of a model that ships with the package, "
    "python:package.module:make (a function of your own that returns a function from "
    "image to logits, or a PyTorch module), or a file MODEL.onnx"
)


def is_foreign(name: str) -> bool:
    """Whether a text names a model of another library."""
    return name.startswith(_PYTHON) or name.endswith(_ONNX)


def loaded_foreign(name: str) -> tuple[Callable, str]:
    """The `predict` that a text names, and a hash of what it computes.

        python:package.module:make    what `make()` returns: a `predict`, a `Model`, or
                                      a PyTorch module in evaluation mode
        MODEL.onnx                    `models.from_onnx`

    The module is looked for in the current directory too. Importing it and calling
    `make` is all that is executed. The hash sees the weights, and the bytes of the file
    of source; not what that imports in turn.
    """
    if name.endswith(_ONNX):
        network = models.from_onnx(name)
        return network, function_digest(network)
    if os.getcwd() not in sys.path:  # `python -m` has it, a console script has not
        sys.path.append(os.getcwd())
    try:
        make = query.own_function(name.removeprefix(_PYTHON))
        predict = _predict_of(_made(make))
    except InputError as error:
        raise InputError(f"{name}: {error}") from error
    digest = hashlib.sha256(f"{name} {function_digest(predict)}".encode())
    module = sys.modules[name.removeprefix(_PYTHON).partition(":")[0]]
    if module.__file__ is not None:
        digest.update(pathlib.Path(module.__file__).read_bytes())
    return predict, digest.hexdigest()[:16]


def _made(make: Callable) -> Any:
    try:
        return make()
    except Exception as error:
        raise InputError(
            f"it raised {type(error).__name__}: {first_line(error)}"
        ) from error


def _predict_of(value: Any) -> Callable:
    torch = sys.modules.get("torch")  # nobody makes its modules without it
    if torch is not None and isinstance(value, torch.nn.Module):
        return models.from_torch(value)
    if isinstance(value, models.Model):
        return models.predictor(value)
    if not callable(value):
        raise InputError(
            f"it returned a {type(value).__name__} where a function from image to "
            "logits, or a PyTorch module, is expected"
        )
    return value
