"""Checkpoints of a training: what comes back, the latest two, what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mspd_jax import models, train
from mspd_jax.errors import InputError
from mspd_jax.train._checkpoint import open_checkpoints, restore_state, save_state
from mspd_jax.train._step import initial_state


def state_of(width=4, *, step=0):
    spec = models.ModelSpec(
        "small_cnn", {"widths": [width]}, (0.0,), (1.0,), 10, (8, 8, 1), {}
    )
    model = models.create_model(jax.random.key(step), spec)
    optimizer = train.optimizer("adamw", learning_rate=0.1)
    state = initial_state(model, optimizer, ema=0.9)
    return jax.tree.map(np.asarray, state._replace(step=jnp.int32(step)))


def test_the_latest_of_two_comes_back(tmp_path):
    with open_checkpoints(tmp_path / "c") as checkpoints:
        assert restore_state(checkpoints, state_of()) is None
        for step in (3, 5, 9):
            save_state(checkpoints, state_of(step=step))
    assert {p.name for p in (tmp_path / "c").iterdir() if p.name.isdigit()} == {
        "5",
        "9",
    }
    with open_checkpoints(tmp_path / "c") as checkpoints:
        found = restore_state(checkpoints, state_of())
    jax.tree.map(np.testing.assert_array_equal, found, state_of(step=9))


def test_another_network_is_refused(tmp_path):
    with open_checkpoints(tmp_path / "c") as checkpoints:
        save_state(checkpoints, state_of(step=3))
        with pytest.raises(InputError, match="another network or optimizer"):
            restore_state(checkpoints, state_of(width=5))


def test_a_damaged_checkpoint_is_named(tmp_path):
    with open_checkpoints(tmp_path / "c") as checkpoints:
        save_state(checkpoints, state_of(step=3))
        for path in sorted((tmp_path / "c" / "3").rglob("*")):
            if path.is_file() and path.name.startswith(("manifest", "_METADATA")):
                path.write_bytes(b"?")
        with pytest.raises(InputError, match="cannot be read: remove it"):
            restore_state(checkpoints, state_of())
