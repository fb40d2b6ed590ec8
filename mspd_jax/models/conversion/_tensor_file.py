"""Named tensors from a PyTorch or safetensors file, without running its code."""

import hashlib
import os
import re
import warnings
from collections.abc import Mapping

import numpy as np
from safetensors import numpy as safetensors

from mspd_jax import paths
from mspd_jax.errors import InputError, first_line
from mspd_jax.models.conversion._file_kind import file_kind

# Where training scripts keep the weights, and what wrappers put before a name.
_NESTS = ("state_dict", "model_state_dict", "model", "net")
_CHOICES = ("last", "best", "ema", "ema_state_dict", "model_ema")
_PREFIX = re.compile(r"((module|model|net|_orig_mod|normalize)\.)+")


def read_tensors(
    path: str | os.PathLike, *, state: str | None = None
) -> dict[str, np.ndarray]:
    """The tensors of a checkpoint file by name, as float32 (integers as they are).

    The state dict may be the file itself, alone in a list, or stand under `state_dict`,
    `model_state_dict`, `model` or `net`; prefixes such as `module.` are dropped, and so
    are `num_batches_tracked` counters. What a file is its bytes say, not its name: a
    safetensors file needs no PyTorch; one of PyTorch, in either of its formats, is read
    with `weights_only=True`. Raises InputError if the file is anything else, cannot be
    read or holds anything that would have to be executed.

    Args:
      path: the file.
      state: under which key the state dict stands, where there are several, as in
        "last"; dots go deeper.
    """
    path = paths.as_path(path)
    read = {"safetensors": _read_safetensors, "torch": _read_torch}
    with paths.local_file(path) as file:
        tensors = read[file_kind(file)](file, state)
    named: dict[str, np.ndarray] = {}
    for name, tensor in tensors.items():
        short = _PREFIX.sub("", name, count=1) if _PREFIX.match(name) else name
        if short.endswith("num_batches_tracked"):
            continue
        if short in named:
            raise InputError(f"{path} holds {short} more than once, under prefixes")
        named[short] = tensor
    return named


def file_sha256(path: str | os.PathLike) -> str:
    """The sha256 of a file's bytes."""
    with paths.opened(paths.as_path(path)) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _read_safetensors(path, state):
    if state is not None:
        raise InputError(f"`state`={state}: a safetensors file has one state alone")
    # The reader raises its own error type, OSError, KeyError (types) and more.
    try:
        tensors = safetensors.load_file(path)
    except Exception as error:
        raise InputError(f"{path} is no readable safetensors file: {error}") from error
    # Of its types only floating ones have a kind of f or V (bfloat16 and float8, which
    # NumPy itself does not know).
    return {
        name: tensor.astype(np.float32) if tensor.dtype.kind in "fV" else tensor
        for name, tensor in tensors.items()
    }


def _read_torch(path, state):
    try:
        import torch
    except ImportError as error:
        raise InputError(
            f"{path} needs PyTorch to be read: pip install 'mspd_jax[torch]', or give "
            "a .safetensors file"
        ) from error
    # Nothing but tensors and plain containers is built: `weights_only` refuses the
    # rest. It reports damage and refusals by many types of error.
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on odd pickles, which end in an error
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise InputError(
            f"{path} is refused: it is damaged, or it holds more than tensors and "
            f"plain containers, which would have to be executed "
            f"({first_line(error)})"
        ) from error
    tensors = {}
    for name, tensor in _state_dict(path, content, state).items():
        if not isinstance(tensor, torch.Tensor):
            kind = type(tensor).__name__
            raise InputError(f"{path}: {name} is a {kind} where a tensor is expected")
        if tensor.is_floating_point():
            tensor = tensor.to(torch.float32)
        tensors[str(name)] = tensor.detach().contiguous().numpy()
    return tensors


def _state_dict(path, content, state):
    for key in state.split(".") if state else ():
        if not isinstance(content, Mapping) or key not in content:
            found = list(content) if isinstance(content, Mapping) else []
            raise InputError(
                f"`state`={state}: {path} has no {key!r}, it has {_listed(found)}"
            )
        content = content[key]
    while True:
        if isinstance(content, list) and len(content) == 1:
            content = content[0]
        if not isinstance(content, Mapping):
            raise InputError(
                f"{path} holds a {type(content).__name__}, not a state dict: save "
                "model.state_dict()"
            )
        nests = [key for key in _NESTS if _holds_tensors(content.get(key))]
        if not nests:
            break
        content = content[nests[0]]
    choices = [key for key in _CHOICES if _holds_tensors(content.get(key))]
    if choices:
        raise InputError(f"{path} holds {_listed(choices)}: say which by `state`")
    return content


def _holds_tensors(value):
    """Whether this may be a state dict, or a list of one."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return isinstance(value, Mapping)


def _listed(keys):
    return ", ".join(map(str, keys[:8])) or "nothing"
