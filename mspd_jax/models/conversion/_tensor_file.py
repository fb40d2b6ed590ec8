"""Named tensors from a PyTorch or safetensors file, without running its code."""

import hashlib
import os
import pathlib
import re
import warnings
from collections.abc import Mapping

import numpy as np
from safetensors import numpy as safetensors

from mspd_jax.errors import InputError, first_line

_TORCH_SUFFIXES = (".pt", ".pth", ".th")
_ACCEPTED = ", ".join(_TORCH_SUFFIXES) + " or .safetensors"
# Where training scripts keep the weights, and what wrappers put before a name.
_NESTS = ("state_dict", "model_state_dict", "model", "net")
_PREFIX = re.compile(r"((module|model|net|_orig_mod)\.)+")


def read_tensors(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """The tensors of a checkpoint file by name, as float32 (integers as they are).

    The state dict may be the file itself or stand under `state_dict`,
    `model_state_dict`, `model` or `net`; prefixes such as `module.` are dropped, and so
    are `num_batches_tracked` counters. A .safetensors file needs no PyTorch; .pt, .pth
    and .th are read with `weights_only=True`. Raises InputError if the file cannot be
    read or holds anything that would have to be executed.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise InputError(f"no file {path}: give a {_ACCEPTED} file")
    if path.suffix == ".safetensors":
        tensors = _read_safetensors(path)
    elif path.suffix in _TORCH_SUFFIXES:
        tensors = _read_torch(path)
    else:
        raise InputError(
            f"{path}: a {path.suffix or 'nameless'} file cannot be "
            f"converted, only {_ACCEPTED}"
        )
    named = {}
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
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _read_safetensors(path):
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


def _read_torch(path):
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
    state = _state_dict(path, content)
    tensors = {}
    for name, tensor in state.items():
        if not isinstance(tensor, torch.Tensor):
            kind = type(tensor).__name__
            raise InputError(f"{path}: {name} is a {kind} where a tensor is expected")
        if tensor.is_floating_point():
            tensor = tensor.to(torch.float32)
        tensors[str(name)] = tensor.detach().contiguous().numpy()
    return tensors


def _state_dict(path, content):
    while isinstance(content, Mapping):
        nests = [key for key in _NESTS if isinstance(content.get(key), Mapping)]
        if not nests:
            return content
        content = content[nests[0]]
    raise InputError(
        f"{path} holds a {type(content).__name__}, not a state dict: save "
        "model.state_dict()"
    )
