"""A training on disk: its log, its checkpoints, its end, and how it goes on."""

import math

import jax
import numpy as np
import pytest

from mspd_jax import models, train
from mspd_jax.errors import InputError
from mspd_jax.runs import read_metrics

RNG = np.random.default_rng(0)
EXAMPLES = train.Examples(
    RNG.random((24, 8, 8, 1), np.float32), np.arange(24) % 3, np.arange(24), 3
)
SPEC = models.ModelSpec("small_cnn", {"widths": [3]}, (0.5,), (0.3,), 3, (8, 8, 1), {})


def plan(*, rate=0.1, epochs=3):
    return train.plan_training(
        EXAMPLES,
        SPEC,
        train.objective("none"),
        epochs=epochs,
        batch_size=8,
        learning_rate=rate,
    )


def run(folder, planned, **options):
    return train.run_training(folder, planned, EXAMPLES, hidden=True, **options)


def test_it_learns_what_fit_learns_and_says_how(tmp_path):
    planned = plan()
    state, totals = run(tmp_path, planned)
    alone = train.fit(
        planned.key,
        SPEC,
        EXAMPLES.images,
        EXAMPLES.labels,
        objective=planned.objective,
        optimizer=planned.optimizer,
        epochs=3,
        batch_size=8,
    )
    own = train.trained_model(SPEC, state)
    assert models.model_hash(own) == models.model_hash(alone)
    assert (totals["images"], totals["steps"], int(state.step)) == (72, 9, 9)
    lines = read_metrics(tmp_path)
    assert [(line["epoch"], line["step"]) for line in lines] == [(1, 3), (2, 6), (3, 9)]
    assert all(line["learning_rate"] == pytest.approx(0.1) for line in lines)
    # Finished: nothing is left to do, and nothing changes.
    again, totals = run(tmp_path, planned)
    jax.tree.map(np.testing.assert_array_equal, again, state)
    assert (totals["images"], totals["images_per_second"]) == (72, None)
    assert read_metrics(tmp_path) == lines


def test_it_goes_on_from_a_checkpoint_in_the_middle_of_an_epoch(tmp_path):
    class KilledError(Exception):
        pass

    def killed(step):
        if step == 5:
            raise KilledError
        return 0.1

    whole, _ = run(tmp_path / "whole", plan())
    (tmp_path / "killed").mkdir()
    # Step 6 ends an epoch: its log line asks for the rate of step 5.
    with pytest.raises(KilledError):
        run(tmp_path / "killed", plan()._replace(schedule=killed), checkpoint_every=4)
    steps = {p.name for p in (tmp_path / "killed" / "checkpoints").iterdir()}
    assert "4" in steps and "6" not in steps
    found, _ = run(tmp_path / "killed", plan())
    jax.tree.map(np.testing.assert_array_equal, found, whole)
    epochs = [line["epoch"] for line in read_metrics(tmp_path / "killed")]
    assert epochs == [1, 2, 3]


def test_a_loss_that_is_no_number_ends_it(tmp_path):
    with pytest.raises(InputError, match="lower `learning_rate` or set `clip`"):
        run(tmp_path, plan(rate=math.inf))
    assert not (tmp_path / "model").exists()
