"""Checkpoints of an unfinished training, with Orbax: all or nothing, the latest two.

A checkpoint holds the leaves of a `TrainState` by path. It is written under another
name and renamed when complete, so that a killed run finds whole checkpoints only; in a
store, where nothing can be renamed, it is one object.
"""

import contextlib
import os
import pathlib
from typing import Any

import jax
import numpy as np
from etils import epy

from mspd_jax import paths
from mspd_jax.errors import InputError, StoreError
from mspd_jax.train._step import TrainState
from mspd_jax.train._stored_checkpoint import (
    StoredCheckpoints,
    latest_checkpoint,
    load_leaves,
    save_leaves,
)

with epy.lazy_imports():  # most of a second, for those who need no checkpoint
    import orbax.checkpoint as ocp

# What `open_checkpoints` gives: Orbax's, or those of a store.
Checkpoints = Any
_KEPT = 2  # the one before the latest, should a disk have damaged that


def open_checkpoints(
    folder: str | os.PathLike,
) -> "contextlib.AbstractContextManager[Checkpoints]":
    """The checkpoints in a folder, a context; removes what a killed save left there."""
    if paths.is_store(folder):
        return contextlib.nullcontext(StoredCheckpoints(paths.as_path(folder)))
    return ocp.v1.training.Checkpointer(
        pathlib.Path(folder).absolute(),
        preservation_policy=ocp.v1.training.preservation_policies.LatestN(_KEPT),
        cleanup_tmp_directories=True,
    )


def save_state(checkpoints: "Checkpoints", state: TrainState) -> None:
    """Writes the state (host arrays) as the checkpoint of its step.

    Every process of a cluster calls this at the same steps.
    """
    step, leaves = int(state.step), _leaves(state)
    if isinstance(checkpoints, StoredCheckpoints):
        save_leaves(checkpoints, step, leaves, kept=_KEPT)
    else:
        checkpoints.save(step, leaves, force=True, overwrite=True)


def restore_state(
    checkpoints: "Checkpoints", template: TrainState
) -> TrainState | None:
    """The latest state, as host arrays, or None if there is none.

    template: a state of this run, for the structure and shapes. Raises InputError if
    the checkpoint cannot be read or belongs to another network or optimizer.
    """
    place = _latest(checkpoints)
    if place is None:
        return None
    try:
        if isinstance(checkpoints, StoredCheckpoints):
            found = load_leaves(place)
        else:
            found = {k: np.asarray(v) for k, v in checkpoints.load().items()}
    except StoreError:
        raise
    # What a damaged file makes Orbax raise, only its reader could say.
    except Exception as error:
        raise InputError(
            f"checkpoint {place} cannot be read: remove it to go on from an earlier one"
        ) from error
    wanted = _leaves(template)
    if _shapes(found) != _shapes(wanted):
        raise InputError(
            f"checkpoint {place} is of another network or optimizer: name another `out`"
        )
    structure = jax.tree.structure(template)
    return jax.tree.unflatten(structure, [found[name] for name in wanted])


def _latest(checkpoints: "Checkpoints") -> pathlib.PurePath | None:
    """Where the latest checkpoint lies."""
    if isinstance(checkpoints, StoredCheckpoints):
        return latest_checkpoint(checkpoints)
    if checkpoints.latest is None:
        return None
    return checkpoints.directory / str(checkpoints.latest.step)


def _leaves(state: TrainState) -> dict:
    """Leaves by path, in the order of the tree."""
    return {
        jax.tree_util.keystr(path, simple=True, separator="."): leaf
        for path, leaf in jax.tree.leaves_with_path(state)
    }


def _shapes(leaves: dict) -> dict:
    return {name: (np.shape(x), np.dtype(x.dtype)) for name, x in leaves.items()}
