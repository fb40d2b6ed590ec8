"""Checkpoints of an unfinished training in an object store: one object each.

Orbax makes a checkpoint complete by renaming its folder, which a store cannot do. An
object is there whole or not at all, so that a checkpoint is one, of named tensors
(safetensors). States are on the host, the same in all processes; one of them writes.
"""

import pathlib
from typing import NamedTuple

import numpy as np
from safetensors import numpy as safetensors

from mspd_jax import drive, paths

_SUFFIX = ".safetensors"


class StoredCheckpoints(NamedTuple):
    """folder: where the checkpoints lie, each under the number of its step."""

    folder: pathlib.PurePath


def save_leaves(
    checkpoints: StoredCheckpoints, step: int, leaves: dict, *, kept: int
) -> None:
    """Writes a checkpoint and removes all but the latest `kept`."""
    if drive.here().process > 0:
        return
    arrays = {name: np.ascontiguousarray(leaf) for name, leaf in leaves.items()}
    # That makes rows of single numbers.
    arrays = {name: a.reshape(np.shape(leaves[name])) for name, a in arrays.items()}
    place = checkpoints.folder / f"{step:010d}{_SUFFIX}"
    paths.write_object(place, safetensors.save(arrays))
    paths.remove(_objects(checkpoints)[:-kept])


def latest_checkpoint(checkpoints: StoredCheckpoints) -> pathlib.PurePath | None:
    """The object of the latest step."""
    return next(reversed(_objects(checkpoints)), None)


def load_leaves(place: pathlib.PurePath) -> dict[str, np.ndarray]:
    """The leaves of a checkpoint by name; raises what safetensors does of others."""
    return safetensors.load(paths.read_bytes(place))


def _objects(checkpoints: StoredCheckpoints) -> list[pathlib.PurePath]:
    """The checkpoints by their steps, ascending."""
    inside = paths.children(checkpoints.folder)
    return sorted(path for path in inside if path.suffix == _SUFFIX)
