"""Models on disk: Orbax directories that hold arrays and plain data, no code.

A checkpoint is an Orbax directory whose metadata carry the specification and the sha256
of the arrays, and which lists the sha256 of all its files in SHA256SUMS (`sha256sum -c`
reads it). The files are verified before anything is read from them, the arrays after,
so what loads is what was saved. A checkpoint is written under another name and renamed
when it is complete. In a store nothing can be renamed: there SHA256SUMS comes last, and
one without it is none. Orbax reads and writes a copy on the disk.
"""

import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
from etils import epy
from jax.experimental import multihost_utils

from mspd_jax import paths
from mspd_jax.errors import InputError
from mspd_jax.models._apart import save_apart
from mspd_jax.models._build import build_module
from mspd_jax.models._initialize import variable_shapes
from mspd_jax.models._spec import (
    Model,
    check_spec,
    input_shape,
    spec_from_json,
    spec_to_json,
)

with epy.lazy_imports():  # most of a second, for those who need no checkpoint
    import orbax.checkpoint as ocp

ZOO = pathlib.Path(__file__).parent / "zoo"
FORMAT = "mspd_jax.model/1"
# A file that every Orbax checkpoint has; its absence means "not a checkpoint".
_MARK = "_CHECKPOINT_METADATA"


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
    place = _absolute(path)
    check_spec(model.spec)
    _check_free(place, overwrite)
    _wait_for_others(f"free {place}")  # all have looked before one writes
    metadata = {
        "format": FORMAT,
        "spec": spec_to_json(model.spec),
        "arrays_sha256": model_hash(model),
    }
    parts = {k: part for k, part in model.variables.items() if jax.tree.leaves(part)}
    tree = jax.tree.map(np.asarray, parts)
    save = _save_to_store if paths.is_store(place) else _save_to_disk
    try:
        save(place, tree, metadata)
    except OSError as error:
        raise InputError(f"cannot write checkpoint {place}: {error}") from error
    _wait_for_others(f"saved {place}")


def _wait_for_others(where):
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(where)


def _save_to_disk(path, tree, metadata):
    # Named after the target, so that the next call clears what a killed one left.
    workshop = path.with_name(f".{path.name}.unfinished")
    if jax.process_index() == 0:
        shutil.rmtree(workshop, ignore_errors=True)
        workshop.mkdir(parents=True)
    ocp.v1.save(workshop / "checkpoint", tree, custom_metadata=metadata)
    if jax.process_index() == 0:
        _put_in_place(workshop, path)


def _save_to_store(path, tree, metadata):
    if jax.process_index() > 0:  # the arrays lie on each host, one of them writes
        return
    with tempfile.TemporaryDirectory(prefix="mspd_jax_") as workshop:
        new = pathlib.Path(workshop, "checkpoint")
        if jax.process_count() > 1:
            save_apart(new, tree, metadata)
        else:
            ocp.v1.save(new, tree, custom_metadata=metadata)
        _note_sums(new)
        paths.send_folder(new, path)


def _note_sums(new):
    # Orbax notes the folder it wrote to, which is not where the checkpoint will lie.
    (new / "commit_success.txt").write_text("Checkpoint commit succeeded")
    (new / paths.SUMS).write_text(paths.sums_of(new))


def _put_in_place(workshop, path):
    new, old = workshop / "checkpoint", workshop / "replaced"
    _note_sums(new)
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
    with _verified(_find(path)) as (folder, files):
        return _loaded(folder, files)


def _loaded(folder: pathlib.PurePath, files: pathlib.Path) -> Model:
    """The model in `files`, which are those of the checkpoint `folder`."""
    # The files are whole, so what fails now is their content: not one of ours, or of a
    # version that Orbax does not read. What it then raises, only its reader could say.
    try:
        with _this_process_alone():
            metadata = ocp.v1.metadata(files).custom_metadata
            spec = spec_from_json(metadata["spec"])
            tree = jax.tree.map(np.asarray, ocp.v1.load(files))
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


def holds_model(path: str | os.PathLike) -> bool:
    """Whether a folder is a whole checkpoint of a model."""
    folder = paths.as_path(path)
    return all(paths.is_file(folder / name) for name in (_MARK, paths.SUMS))


def _find(path):
    """The checkpoint directory that a user's argument means."""
    name, path = os.fspath(path), _absolute(path)
    shipped = {
        folder.name: folder for folder in ZOO.glob("*") if (folder / _MARK).is_file()
    }
    if not paths.exists(path) and name in shipped:
        return shipped[name]
    if not paths.exists(path):
        raise InputError(
            f"no model {name!r}: there is no {path}, and the models that ship with "
            f"the package are: {', '.join(sorted(shipped)) or '(none)'}"
        )
    for folder in (path, path / "model"):
        if paths.is_file(folder / _MARK):
            return folder
    raise InputError(
        f"{path} is not a model: name a checkpoint directory (it holds {_MARK}) or a "
        "run folder that holds one as model/"
    )


@contextlib.contextmanager
def _verified(
    folder: pathlib.PurePath,
) -> Iterator[tuple[pathlib.PurePath, pathlib.Path]]:
    """The folder, and its files on the disk, while they are needed.

    Raises InputError unless every file is what SHA256SUMS says.
    """
    with paths.local_copy(folder) as files:
        try:
            sums = (files / paths.SUMS).read_text()
        except FileNotFoundError as error:
            raise InputError(
                f"{folder} is a checkpoint, but not a whole one of a model: no "
                f"{paths.SUMS}"
            ) from error
        except (OSError, ValueError) as error:
            raise _damaged(folder, f"{paths.SUMS} cannot be read") from error
        changed = paths.changed_file(files, sums)
        if changed is not None:
            raise _damaged(folder, " ".join(changed))
        yield folder, files


def _absolute(path: str | os.PathLike) -> pathlib.PurePath:
    path = paths.as_path(path)
    return path if paths.is_store(path) else pathlib.Path(path).absolute()


def _damaged(folder, what) -> InputError:
    return InputError(
        f"checkpoint {folder} is damaged: {what}; copy, convert or train it again"
    )


def _check_free(path, overwrite):
    if not paths.exists(path):
        return
    if paths.is_store(path) and paths.was_begun(path):
        return  # a killed call left it
    if not all(paths.is_file(path / name) for name in (_MARK, paths.SUMS)):
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
