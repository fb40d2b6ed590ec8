"""Training a denoiser from research code: values in, typed results out."""

import jax
import numpy as np
import pytest

from mspd_jax import data, jobs, models, train
from mspd_jax.errors import InputError


def classifier(classes=10):
    spec = models.ModelSpec(
        "small_cnn", {"widths": [4]}, (0.0,), (1.0,), classes, (8, 8, 1), {}
    )
    return models.create_model(jax.random.key(0), spec)


SETTINGS = dict(
    source="digits:train",
    limit=64,
    arch="dncnn",
    arch_options={"depth": 3, "width": 4},
    sigma=0.25,
    epochs=1,
    batch_size=32,
)


def test_a_training_returns_typed_records_and_totals(tmp_path):
    source = data.open_source("digits:test", limit=12)
    job = jobs.TrainDenoiser(
        **SETTINGS, objective="clf", classifier=(classifier(),), eval_source=source
    )
    result = job.run(tmp_path / "out")
    assert [record.index for record in result.records] == list(source.indices)
    noisy = np.mean([record.mse_noisy for record in result.records])
    assert result.summary.psnr_noisy == pytest.approx(-10 * np.log10(noisy), abs=1e-3)
    right = [r.predictions[0] == r.label for r in result.records]
    assert result.summary.restored_accuracy == np.mean(right)
    origin = models.load_model(result.folder).spec.origin
    assert origin["sigma"] == 0.25 and origin["job"] == "train_denoiser"
    assert job.run(result.folder) == result._replace(finished_before=True)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"objective": "stab"}, "at least one classifier"),
        ({"classifier": (classifier(),)}, "no classifier"),
        ({"arch": "small_cnn", "arch_options": {}}, "not a denoiser"),
        ({"init": classifier(), "arch": None}, "not a denoiser"),
        (
            {"objective": "stab", "classifier": (classifier(), classifier(7))},
            r"`classifier`: models of \[7, 10\] classes",
        ),
        ({"objective": "stab", "classifier": (len,)}, "`classifier`: expected a check"),
    ],
)
def test_refusals(settings, words):
    images, labels = data.load_arrays(data.open_source("digits:train", limit=64))
    examples = train.Examples(images, labels, np.arange(64), 10)
    with pytest.raises(InputError, match=words):
        jobs.TrainDenoiser(**SETTINGS | settings).plan(examples)
