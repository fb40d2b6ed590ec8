"""Models on disk: Orbax directories that hold arrays and plain data, no code.

A checkpoint is an Orbax directory whose metadata carry the specification and the sha256
of the arrays, and which lists the sha256 of all its files in SHA256SUMS (`sha256sum -c`
reads it). The files are verified before anything is read from them, the arrays after,
so what loads is what was saved. A checkpoint is written under another name and renamed
when it is complete.
"""

import hashlib
import json
import os
import pathlib
import shutil

import jax
import jax.numpy as jnp
import numpy as np
from etils import epy
from jax.experimental import multihost_utils

from mspd_jax.errors import InputError
from mspd_jax.models._build import build_module
from mspd_jax.models._initialize import variable_shapes
from mspd_jax.models._spec import (
    Model,
    check_spec,
    input_shape,
    spec_from_json,
    spec_to_json,
)
from mspd_jax.models.conversion._tensor_file import file_sha256

with epy.lazy_imports():  # most of a second, for those who need no checkpoint
    import orbax.checkpoint as ocp

ZOO = pathlib.Path(__file__).parent / "zoo"
FORMAT = "mspd_jax.model/1"
# A file that every Orbax checkpoint has; its absence means "not a checkpoint".
_MARK = "_CHECKPOINT_METADATA"
_SUMS = "SHA256SUMS"


def model_hash(model: Model) -> str:
    """The sha256 of the weights: of paths, types, shapes and bytes of all arrays.

    Specification and origin do not count, only what is computed with.
    """
    digest = hashlib.sha256()
    for path, array in sorted(_flatten(model.variables).items()):
        digest.update(f"{path} {array.dtype.name} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def function_hash(model: Model) -> str:
    """The sha256 of all that decides what a model computes.

    The weights, the architecture with its options, and the normalization; not for whom
    it was made or where it comes from.
    """
    spec = spec_to_json(model.spec)
    deciding = [spec[name] for name in ("architecture", "options", "mean", "std")]
    text = json.dumps([model_hash(model), *deciding], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def save_model(
    path: str | os.PathLike, model: Model, *, overwrite: bool = False
) -> None:
    """Writes a checkpoint directory; a killed call leaves none.

    Where `path` exists, raises InputError, unless it is a model's checkpoint and
    `overwrite` is true. In a run of several processes all of them call this with the
    same path: the first one writes, and all return when the checkpoint is complete.
    """
    path = pathlib.Path(path).absolute()
    check_spec(model.spec)
    _check_free(path, overwrite)
    metadata = {
        "format": FORMAT,
        "spec": spec_to_json(model.spec),
        "arrays_sha256": model_hash(model),
    }
    parts = {k: part for k, part in model.variables.items() if jax.tree.leaves(part)}
    tree = jax.tree.map(np.asarray, parts)
    # Named after the target, so that the next call clears what a killed one left.
    workshop = path.with_name(f".{path.name}.unfinished")
    try:
        if jax.process_index() == 0:
            shutil.rmtree(workshop, ignore_errors=True)
            workshop.mkdir(parents=True)
        ocp.v1.save(workshop / "checkpoint", tree, custom_metadata=metadata)
        if jax.process_index() == 0:
            _put_in_place(workshop, path)
    except OSError as error:
        raise InputError(f"cannot write checkpoint {path}: {error}") from error
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(f"saved {path}")


def _put_in_place(workshop, path):
    new, old = workshop / "checkpoint", workshop / "replaced"
    # Orbax notes the folder it wrote to, which the renaming makes untrue.
    (new / "commit_success.txt").write_text("Checkpoint commit succeeded")
    files = sorted(file for file in new.rglob("*") if file.is_file())
    sums = (f"{file_sha256(f)}  {f.relative_to(new).as_posix()}\n" for f in files)
    (new / _SUMS).write_text("".join(sums))
    if path.exists():
        path.rename(old)
    new.rename(path)
    shutil.rmtree(workshop)


def load_model(path: str | os.PathLike) -> Model:
    """Reads a model: a checkpoint, a run folder with `model/`, or a shipped name.

    The arrays come as they were saved, whatever the devices, and nothing in the file
    is executed. Raises InputError if there is no checkpoint, if it is not one of a
    model, or if anything in it has changed since it was saved. In a run of several
    processes, all of them load the same models in the same order.

    Example:
      model = models.load_model("cifar10_resnet20_robust")  # ships with the package
      predict = models.predictor(model)
    """
    folder = _find(path)
    _verify_files(folder)
    # The files are whole, so what fails now is their content: not one of ours, or of a
    # version that Orbax does not read. What it then raises, only its reader could say.
    try:
        with _this_process_alone():
            metadata = ocp.v1.metadata(folder).custom_metadata
            spec = spec_from_json(metadata["spec"])
            tree = jax.tree.map(np.asarray, ocp.v1.load(folder))
        wanted = variable_shapes(build_module(spec), input_shape(spec))
    except Exception as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"{folder} is not a checkpoint of a model: {reason}"
        ) from error
    if _shapes(wanted) != _shapes(tree):
        raise InputError(
            f"{folder} holds other arrays than those of its {spec.architecture}"
        )
    model = Model(spec, jax.tree.map(jnp.asarray, tree))
    if model_hash(model) != metadata.get("arrays_sha256"):
        raise _damaged(folder, "its arrays do not match their sha256")
    return model


def _find(path):
    """The checkpoint directory that a user's argument means."""
    name, path = os.fspath(path), pathlib.Path(path).absolute()
    shipped = {
        folder.name: folder for folder in ZOO.glob("*") if (folder / _MARK).is_file()
    }
    if not path.exists() and name in shipped:
        return shipped[name]
    if not path.exists():
        raise InputError(
            f"no model {name!r}: there is no {path}, and the models that ship with "
            f"the package are: {', '.join(sorted(shipped)) or '(none)'}"
        )
    for folder in (path, path / "model"):
        if (folder / _MARK).is_file():
            return folder
    raise InputError(
        f"{path} is not a model: name a checkpoint directory (it holds {_MARK}) or a "
        "run folder that holds one as model/"
    )


def _verify_files(folder):
    """Raises InputError unless every file is what SHA256SUMS says."""
    try:
        sums = (folder / _SUMS).read_text()
    except FileNotFoundError as error:
        raise InputError(
            f"{folder} is a checkpoint, but not a whole one of a model: no {_SUMS}"
        ) from error
    except (OSError, ValueError) as error:
        raise _damaged(folder, f"{_SUMS} cannot be read") from error
    for line in sums.splitlines():
        wanted, _, name = line.partition("  ")
        try:
            found = file_sha256(folder / name)
        except (OSError, ValueError) as error:
            raise _damaged(folder, f"{name} cannot be read") from error
        if found != wanted:
            raise _damaged(folder, f"{name} is not the file that was saved")


def _damaged(folder, what) -> InputError:
    return InputError(
        f"checkpoint {folder} is damaged: {what}; copy, convert or train it again"
    )


def _check_free(path, overwrite):
    if not path.exists():
        return
    if not (path / _MARK).is_file() or not (path / _SUMS).is_file():
        raise InputError(f"{path} exists and is not a model: name another place")
    if not overwrite:
        raise InputError(f"checkpoint {path} exists: name another place or remove it")


def _this_process_alone() -> "ocp.v1.Context":
    """Orbax waits for nobody: in a run of several processes, each reads by itself."""
    context, me = ocp.v1.Context(), jax.process_index()
    context.multiprocessing.primary_host = me
    context.multiprocessing.active_processes = {me}
    context.multiprocessing.barrier_sync_key_prefix = f"model{me}"
    return context


def _flatten(tree) -> dict:
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {"/".join(key.key for key in path): leaf for path, leaf in leaves}


def _shapes(tree):
    return {path: (leaf.shape, leaf.dtype) for path, leaf in _flatten(tree).items()}
