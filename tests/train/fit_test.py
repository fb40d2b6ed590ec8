"""Training in memory: it learns, goes on exactly, and shares work between devices."""

import functools
import os
import subprocess
import sys
import textwrap

import jax
import numpy as np
import pytest

from mspd_jax import train
from mspd_jax.data import load_arrays, open_source
from mspd_jax.models import ModelSpec, create_model, model_hash, predictor
from mspd_jax.streams import stream

SPEC = ModelSpec(
    architecture="small_cnn",
    options={"widths": [8, 16], "norm": True},
    mean=(0.3,),
    std=(0.4,),
    num_classes=10,
    image_shape=(8, 8, 1),
    origin={},
)
IMAGES, LABELS = load_arrays(open_source("digits:train", limit=1024))
KEY = jax.random.key(0)


def steps(objective, *, optimizer="adamw", epochs=1, batch_size=64, **options):
    images, labels = options.pop("images", IMAGES), options.pop("labels", LABELS)
    state = options.pop("state", None)
    plan = train.TrainingPlan(
        KEY,
        options.pop("start", SPEC),
        objective,
        train.optimizer(optimizer, learning_rate=0.01),
        epochs,
        batch_size,
        **options,
    )
    return train.train_steps(plan, images, labels, state=state)


def last(iterator):
    *_, progress = iterator
    return progress.state()


def assert_same(left, right):
    jax.tree.map(np.testing.assert_array_equal, left, right)


def test_adversarial_training_learns_the_digits_and_resumes_exactly():
    objective = train.objective("fgsm", eps=0.05)
    spec = SPEC._replace(options={"widths": [16, 32, 64], "norm": True})
    run = functools.partial(
        steps, objective, epochs=4, augment=train.augmentation(pad=1), start=spec
    )
    states, signals = {}, []
    for progress in run():
        signals.append(progress.signal)
        if progress.step in (23, 63, progress.steps):
            states[progress.step] = progress.state()
    model = train.trained_model(spec, states[64])
    test_images, test_labels = load_arrays(open_source("digits:test"))
    logits = jax.jit(jax.vmap(predictor(model)))(test_images / np.float32(255))
    assert (np.argmax(logits, -1) == test_labels).mean() > 0.9
    # From the middle of an epoch on: same weights, same totals, to the bit.
    assert_same(last(run(state=states[23])), states[64])
    # Totals are those of the last epoch alone: 16 batches with a loss below 1 each.
    assert 0 < states[64].totals.loss < 16
    # Progress carries the signal of the step before: here, those of steps 49 to 63.
    expected = jax.tree.map(lambda *parts: np.sum(parts), *signals[-15:])
    jax.tree.map(
        functools.partial(np.testing.assert_allclose, rtol=1e-5),
        states[63].totals,
        expected,
    )


def test_trades_without_its_divergence_learns_the_same_weights_as_none():
    start = create_model(KEY, SPEC)
    few = dict(images=IMAGES[:128], labels=LABELS[:128], start=start, optimizer="sgd")
    none = last(steps(train.objective("none"), **few))
    trades = train.objective("trades", eps=0.05, beta=0.0, steps=1)
    trades = last(steps(trades, **few))
    moved = jax.tree.map(
        lambda x, y: np.abs(x - y).max(), none.params, start.variables["params"]
    )
    assert max(jax.tree.leaves(moved)) > 1e-3
    jax.tree.map(
        functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-6),
        trades.params,
        none.params,
    )


def test_the_average_lags_behind_the_weights_and_is_what_is_returned():
    def run(ema):
        return last(steps(train.objective("none"), ema=ema, optimizer="sgd"))

    state, start = run(0.9), create_model(stream(KEY, "model"), SPEC)
    model = train.trained_model(SPEC, state)
    assert_same(model.variables["params"], state.average["params"])
    kernel, average, first = (
        tree["head"]["kernel"]
        for tree in (state.params, state.average["params"], start.variables["params"])
    )
    assert 0 < np.linalg.norm(kernel - average) < np.linalg.norm(kernel - first)
    # The weights themselves do not notice.
    np.testing.assert_allclose(run(None).params["head"]["kernel"], kernel, atol=1e-6)


def test_the_start_is_not_consumed_and_fit_is_reproducible():
    model = create_model(KEY, SPEC)
    before = model_hash(model)
    fits = [
        train.fit(
            KEY,
            model,
            IMAGES[:128],
            LABELS[:128],
            objective=train.objective("none"),
            optimizer=train.optimizer("sgd", learning_rate=0.01),
            epochs=2,
            batch_size=64,
        )
        for _ in range(2)
    ]
    assert model_hash(model) == before
    assert model_hash(fits[0]) == model_hash(fits[1]) != before


@pytest.mark.parametrize("batch_size, epochs", [(0, 1), (1025, 1), (64, 0)])
def test_impossible_sizes_are_refused(batch_size, epochs):
    with pytest.raises(ValueError, match="expected"):
        next(steps(train.objective("none"), batch_size=batch_size, epochs=epochs))


ON_EIGHT = """
    import jax, numpy as np
    from mspd_jax import train
    from mspd_jax.models import ModelSpec
    jax.config.update("jax_default_matmul_precision", "highest")
    spec = ModelSpec("small_cnn", {"widths": [4]}, (0.5,), (0.3,), 3, (8, 8, 1), {})
    images = np.random.default_rng(0).random((64, 8, 8, 1), np.float32)
    labels = (images.mean((1, 2, 3)) * 30).astype(np.int32) % 3
    def run(devices):
        plan = train.TrainingPlan(
            jax.random.key(0), spec, train.objective("none"),
            train.optimizer("sgd", learning_rate=0.1), epochs=2, batch_size=32,
            augment=train.augmentation(flip=True))
        *_, last = train.train_steps(plan, images, labels, devices=devices)
        return last.state()
    assert len(jax.devices()) == 8
    jax.tree.map(
        lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-5),
        run(jax.devices()[:1]), run(jax.devices()))
    print("equal")
"""


@pytest.mark.slow
def test_eight_devices_learn_what_one_learns():
    """Up to rounding: sums over the batch are taken in another order."""
    code = textwrap.dedent(ON_EIGHT)
    found = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=300,
        env=_environment("--xla_force_host_platform_device_count=8"),
    )
    assert found.stdout.strip() == "equal", found.stderr[-2000:]


def _environment(xla_flags):
    return {**os.environ, "XLA_FLAGS": xla_flags, "JAX_PLATFORMS": "cpu"}
