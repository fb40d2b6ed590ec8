"""Votes counted by several devices, in a process that has them."""

import os
import pathlib
import subprocess
import sys

import pytest
from absl.testing import parameterized

ON_DEVICES = """
import jax, jax.numpy as jnp, numpy as np
from mspd_jax.smoothing import smoothed_votes, stopping_plan
assert jax.local_device_count() == 3
weights = jnp.asarray(np.random.default_rng(0).normal(size=(4, 6)), jnp.float32)
images = jnp.asarray(np.random.default_rng(1).uniform(0, 1, (5, 2, 3, 1)), jnp.float32)
plan = stopping_plan(
    selection=20, estimation=60, sigma=0.5, alpha=0.1, radius=0.1, rounds=5
)
def votes(key, image, axis_name):
    return smoothed_votes(
        key, lambda x: weights @ x.reshape(-1), image, 0, sigma=0.5, plan=plan,
        chunk=7, axis_name=axis_name)
def all_votes(axis_name):
    return jax.vmap(lambda key, image: votes(key, image, axis_name))
keys = jax.random.split(jax.random.key(0), 5)
alone = jax.jit(all_votes(None))(keys, images)
shared = jax.pmap(lambda _, *rest: all_votes("d")(*rest), axis_name="d",
                  in_axes=(0, None, None))(jnp.arange(3), keys, images)
for one, three in zip(alone, shared):
    for device in range(3):
        np.testing.assert_array_equal(one, three[device])
assert len(set(np.asarray(alone.drawn).tolist())) > 1
print("same")
"""


class DevicesTest(parameterized.TestCase):
    @pytest.mark.slow
    def test_three_devices_count_what_one_does(self):
        flags = "--xla_force_host_platform_device_count=3"
        result = subprocess.run(
            [sys.executable, "-c", ON_DEVICES],
            cwd=pathlib.Path(__file__).resolve().parents[2],
            env=os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"},
            capture_output=True,
            text=True,
        )
        self.assertIn("same", result.stdout, result.stderr[-2000:])
