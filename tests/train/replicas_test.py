"""The compiled step: one function for equal arguments, whatever a model's origin."""

import jax

from mspd_jax import models, train
from mspd_jax.train._replicas import compiled_step

SPEC = models.ModelSpec("small_cnn", {"widths": [2]}, (0.5,), (0.3,), 3, (8, 8, 1), {})


def step(spec=SPEC, *, rate=0.1, ema=None):
    optimizer = train.optimizer("sgd", learning_rate=rate)
    return compiled_step(spec, optimizer, ema=ema, devices=jax.devices()[:1])


def test_equal_arguments_share_a_compilation():
    assert step() is step()
    assert step() is step(SPEC._replace(origin={"source": "digits"}))


def test_other_arguments_do_not():
    others = [step(SPEC._replace(num_classes=4)), step(rate=0.2), step(ema=0.9)]
    assert len({id(function) for function in [step(), *others]}) == 4
