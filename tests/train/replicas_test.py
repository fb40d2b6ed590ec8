"""The compiled step: one function for equal arguments, oneDNN for large images."""

import jax
import numpy as np
import pytest

from mspd_jax import models, train
from mspd_jax.convolution import _onednn as onednn
from mspd_jax.train import _replicas as replicas
from mspd_jax.train._replicas import compiled_step, optimizer_pytree
from mspd_jax.train._step import Batch, example_keys, initial_state

SPEC = models.ModelSpec("small_cnn", {"widths": [2]}, (0.5,), (0.3,), 3, (8, 8, 1), {})


def step(spec=SPEC, *, ema=None):
    return compiled_step(spec, ema=ema, devices=jax.devices()[:1])


def test_equal_arguments_share_a_compilation():
    assert step() is step()
    assert step() is step(SPEC._replace(origin={"source": "digits"}))


def test_other_arguments_do_not():
    others = [step(SPEC._replace(num_classes=4)), step(ema=0.9)]
    assert len({id(function) for function in [step(), *others]}) == 3


def arguments(size, images=64):
    spec = SPEC._replace(options={"widths": [16, 16]}, image_shape=(size, size, 1))
    optimizer = train.optimizer("sgd", learning_rate=0.1)
    state = initial_state(models.create_model(jax.random.key(0), spec), optimizer)
    pixels = np.random.default_rng(0).random((images, size, size, 1), np.float32)
    keys = example_keys(jax.random.key(1), np.uint32(0), np.arange(images))
    batch = Batch(keys, pixels, np.arange(images) % 3)
    run = compiled_step(spec, ema=None, devices=jax.devices()[:1])
    constant = np.int32(1), train.objective("none"), None
    return run, (state, batch, *constant, optimizer_pytree(optimizer))


@pytest.mark.slow
@pytest.mark.skipif(
    not onednn.available(), reason="how this jaxlib calls oneDNN is not known"
)
def test_large_images_are_trained_on_by_onednn_to_the_same_weights(monkeypatch):
    replicas._compiled.cache_clear()
    run, step_arguments = arguments(32)
    assert "__onednn$matmul" in run.lower(*step_arguments).as_text()
    ours, signal = run(*step_arguments)
    monkeypatch.setattr(onednn, "available", lambda: False)
    replicas._compiled.cache_clear()
    jax.clear_caches()
    run, step_arguments = arguments(32)
    assert "__onednn$" not in run.lower(*step_arguments).as_text()
    theirs, expected = run(*step_arguments)
    np.testing.assert_allclose(signal.loss, expected.loss, rtol=1e-5)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=1e-5),
        ours.params,
        theirs.params,
    )
    replicas._compiled.cache_clear()


def test_small_images_keep_a_program_that_can_be_cached():
    run, step_arguments = arguments(16, images=512)
    assert "__onednn$" not in run.lower(*step_arguments).as_text()
