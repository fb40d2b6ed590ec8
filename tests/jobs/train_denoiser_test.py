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


UNET = {"widths": [4], "layers": 1, "groups": 2, "attention": []}
DIFFUSION = dict(arch="ddpm", arch_options=UNET, objective="diffusion", ema=0.9)


def test_a_diffusion_model_is_measured_on_one_sigma_and_serves_others(tmp_path):
    source = data.open_source("digits:test", limit=4)
    job = jobs.TrainDenoiser(**SETTINGS | DIFFUSION, eval_source=source)
    result = job.run(tmp_path / "out")
    model = models.load_model(result.folder)
    assert (model.spec.mean, model.spec.num_classes) == ((0.5,), 0)
    assert "sigma" not in model.spec.origin
    assert model.spec.origin["fields"]["objective"] == "diffusion"
    noisy = np.mean([r.mse_noisy for r in result.records])
    assert result.summary.psnr_noisy == pytest.approx(-10 * np.log10(noisy), abs=1e-3)
    assert result.summary.train_loss < 1.1  # it began with 1


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (DIFFUSION | {"objective": "mse"}, "a ddpm is a diffusion model, not a deno"),
        ({"objective": "diffusion"}, "a dncnn is a denoiser, not a diffusion model"),
        (DIFFUSION | {"classifier": (classifier(),)}, "diffusion takes no classifier"),
        (DIFFUSION | {"sigma": 100.0}, "from 0.0050 to 78.7, got 100.0"),
        (
            DIFFUSION | {"arch_options": UNET | {"widths": [4] * 5}},
            "8x8 for a U-Net of 5 levels",
        ),
        (
            DIFFUSION | {"arch_options": UNET | {"groups": 3}},
            "`arch_options`: widths must be multiples of groups 3",
        ),
        ({"objective": "stab"}, "at least one classifier"),
        ({"classifier": (classifier(),)}, "no classifier"),
        ({"arch": "small_cnn", "arch_options": {}}, "not a denoiser"),
        ({"arch": "ffdnet", "arch_options": {}}, "a ffdnet is told its noise"),
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
