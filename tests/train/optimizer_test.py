"""Schedules at their corners, optimizers by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
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


def structure(clip=1.0, *, name="cosine", **options):
    rate = train.learning_rate_schedule(name, **{"peak": 1.0, "steps": 9} | options)
    return jax.tree.structure(train.optimizer("sgd", learning_rate=rate, clip=clip))


def test_other_numbers_are_other_leaves_of_the_same_program():
    assert structure() == structure(clip=2.0) == structure(peak=0.1)
    others = [structure(steps=8), structure(warmup_steps=1), structure(name="linear")]
    assert len({structure(), structure(clip=None), *others}) == 5


@pytest.mark.parametrize("name", ["cosine", "linear", "thirds"])
def test_rates_are_those_of_optax_to_the_last_bit(name):
    peak, steps, warmup = 0.07, 40, 7
    after = train.SCHEDULES[name](peak, steps - warmup)
    before = optax.linear_schedule(peak / warmup, peak, warmup - 1)
    expected = optax.join_schedules([before, after], [warmup])
    ours = train.learning_rate_schedule(
        name, peak=peak, steps=steps, warmup_steps=warmup
    )
    with jax.numpy_dtype_promotion("standard"):
        at = [np.asarray(jax.jit(f)(np.arange(steps))) for f in (ours, expected)]
    np.testing.assert_array_equal(*at)


def test_unknown_names_and_long_warm_ups_are_refused():
    with pytest.raises(ValueError, match="lion"):
        train.optimizer("lion", learning_rate=0.1)
    with pytest.raises(ValueError, match="sawtooth"):
        train.learning_rate_schedule("sawtooth", peak=1.0, steps=10)
    with pytest.raises(ValueError, match="warmup_steps"):
        train.learning_rate_schedule("cosine", peak=1.0, steps=10, warmup_steps=10)
