"""Checkpoints of a training in a store: as on the disk, one object each."""

import functools

import jax
import numpy as np
import pytest

from mspd_jax.errors import InputError, StoreError
from mspd_jax.train._checkpoint import open_checkpoints, restore_state, save_state
from tests.train.checkpoint_test import state_of

WHERE = "s3://b/run/checkpoints"


@functools.cache
def state():
    return state_of()


def at(step):
    return state()._replace(step=np.asarray(step, np.int32))


def test_the_latest_of_two_comes_back(bucket):
    with open_checkpoints(WHERE) as checkpoints:
        assert restore_state(checkpoints, state()) is None
        for step in (3, 5, 10):
            save_state(checkpoints, at(step))
        found = restore_state(checkpoints, state())
    jax.tree.map(np.testing.assert_array_equal, found, at(10))
    kinds = [
        jax.tree.map(lambda x: (np.shape(x), x.dtype.name), values)
        for values in (found, at(10))
    ]
    assert kinds[0] == kinds[1]
    kept = [key.rpartition("/")[2] for key in sorted(bucket.store)]
    assert kept == ["0000000005.safetensors", "0000000010.safetensors"]


def test_what_cannot_be_used_is_named(bucket):
    with open_checkpoints(WHERE) as checkpoints:
        save_state(checkpoints, at(3))
        with pytest.raises(InputError, match="another network or optimizer"):
            restore_state(checkpoints, state_of(width=5))
        bucket.store["/b/run/checkpoints/0000000003.safetensors"].truncate(99)
        with pytest.raises(InputError, match="0003.safetensors cannot be read: remove"):
            restore_state(checkpoints, state())

        def gone(what, path):
            if what == "get":
                raise ConnectionError("refused")

        bucket.fails = staticmethod(gone)
        with pytest.raises(StoreError, match="does not answer"):
            restore_state(checkpoints, state())
