"""Schedules at their corners, optimizers by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mspd_jax import train


@pytest.mark.parametrize(
    "name, at",
    [
        ("constant", {10: 1.0, 59: 1.0, 109: 1.0}),
        ("cosine", {10: 1.0, 60: 0.5, 110: 0.0}),
        ("linear", {10: 1.0, 60: 0.5, 110: 0.0}),
        ("piecewise", {10: 1.0, 59: 1.0, 61: 0.1, 84: 0.1, 86: 0.01}),
    ],
)
def test_schedules_rise_to_the_peak_and_fall_as_named(name, at):
    rate = train.learning_rate_schedule(name, peak=1.0, steps=110, warmup_steps=10)
    # The warm-up is (t + 1) / 10: the first step moves, the tenth is at the peak.
    np.testing.assert_allclose([rate(0), rate(4), rate(9)], [0.1, 0.5, 1.0], rtol=1e-5)
    for step, value in at.items():
        np.testing.assert_allclose(rate(step), value, rtol=1e-5, atol=1e-6)


def test_sgd_decays_kernels_alone_and_clips_the_whole_gradient():
    params = {"kernel": jnp.full((2, 2), 2.0), "bias": jnp.full((2,), 2.0)}
    gradient = {"kernel": jnp.full((2, 2), 3.0), "bias": jnp.full((2,), 3.0)}
    optimizer = train.optimizer(
        "sgd", learning_rate=0.1, weight_decay=0.5, momentum=0.9, clip=1.0
    )
    updates, _ = optimizer.update(gradient, optimizer.init(params), params)
    # The norm is 3 sqrt(6), so every entry becomes 1 / sqrt(6); Nesterov adds .9 of it.
    clipped = 1 / np.sqrt(6)
    np.testing.assert_allclose(updates["bias"], -0.19 * clipped, rtol=1e-6)
    np.testing.assert_allclose(updates["kernel"], -0.19 * (clipped + 1.0), rtol=1e-6)


def test_adamw_decays_kernels_alone():
    params = {"kernel": jnp.full((2, 2), 2.0), "bias": jnp.full((2,), 2.0)}
    gradient = {"kernel": jnp.zeros((2, 2)), "bias": jnp.zeros((2,))}
    optimizer = train.optimizer("adamw", learning_rate=0.1, weight_decay=0.5)
    with jax.numpy_dtype_promotion("standard"):  # optax's own needs; as in the step
        updates, _ = optimizer.update(gradient, optimizer.init(params), params)
    np.testing.assert_allclose(updates["bias"], 0.0)
    np.testing.assert_allclose(updates["kernel"], -0.1, rtol=1e-6)


def test_equal_settings_are_one_object():
    first = train.optimizer("sgd", learning_rate=0.1, clip=1.0)
    assert first is train.optimizer("sgd", learning_rate=0.1, clip=1.0)


def test_unknown_names_and_long_warm_ups_are_refused():
    with pytest.raises(ValueError, match="lion"):
        train.optimizer("lion", learning_rate=0.1)
    with pytest.raises(ValueError, match="sawtooth"):
        train.learning_rate_schedule("sawtooth", peak=1.0, steps=10)
    with pytest.raises(ValueError, match="warmup_steps"):
        train.learning_rate_schedule("cosine", peak=1.0, steps=10, warmup_steps=10)
