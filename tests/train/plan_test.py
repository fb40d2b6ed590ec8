"""Plans: the arguments become an optimizer, a schedule, an augmentation; refusals."""

import jax
import numpy as np
import pytest

from mspd_jax import models, train
from mspd_jax.errors import InputError

EXAMPLES = train.Examples(
    np.full((40, 8, 8, 3), 0.5, np.float32), np.arange(40) % 4, np.arange(40), 4
)
SPEC = models.ModelSpec(
    "small_cnn", {"widths": [4]}, (0.0,) * 3, (1.0,) * 3, 4, (8, 8, 3), {}
)
CONFIG = dict(epochs=2, batch_size=10, learning_rate=0.5)


def plan(**changes):
    objective = train.objective("none")
    return train.plan_training(EXAMPLES, SPEC, objective, **CONFIG | changes)


def test_a_plan_holds_what_is_asked_for():
    found = plan(seed=3, ema=0.9)
    assert (found.epochs, found.batch_size, found.ema) == (2, 10, 0.9)
    assert found.key == jax.random.key(3)
    assert train.spec_of(found.start) == SPEC
    # Other rates give an optimizer of one structure, so that nothing is compiled twice.
    other = plan(seed=4, learning_rate=0.1).optimizer
    assert jax.tree.structure(found.optimizer) == jax.tree.structure(other)


def test_the_warm_up_is_counted_in_epochs_and_is_half_of_the_steps_at_most():
    rates = [float(plan(warmup_epochs=0.5).schedule(step)) for step in range(4)]
    np.testing.assert_allclose(rates, [0.25, 0.5, 0.5, 0.5])
    rates = [float(plan(warmup_epochs=9.0).schedule(step)) for step in range(5)]
    np.testing.assert_allclose(rates, [0.125, 0.25, 0.375, 0.5, 0.5])


@pytest.mark.parametrize(
    ("settings", "changed"),
    [
        ({"augment": "none"}, False),
        ({"augment": "none", "noise": 0.1}, True),
        ({"augment": "none", "hide": 2}, True),
        ({"augment": "crop,flip"}, True),
    ],
)
def test_what_is_done_to_images(settings, changed):
    found = plan(**settings).augment
    assert (found is not None) == changed
    if changed:
        image = jax.random.uniform(jax.random.key(0), (8, 8, 3))
        keys = jax.random.split(jax.random.key(1), 8)
        assert any((found(key, image) != image).any() for key in keys)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"batch_size": 41}, "`batch_size`: expected 1 to 40 images, got 41"),
        ({"augment": "rotate"}, "`augment`=rotate"),
    ],
)
def test_refusals(settings, words):
    with pytest.raises(InputError, match=words):
        plan(**settings)
