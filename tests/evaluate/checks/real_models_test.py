"""All checks pass on CIFAR-10 networks, plain and robust; a concealed one is caught."""

import jax
import numpy as np
import pytest

from mspd_jax import data, models
from mspd_jax.attacks import ATTACKS
from mspd_jax.evaluate import check_attack, check_model, failed_lines
from tests.evaluate.checks import faulty_models

EPS = 8 / 255


def images_of(shared, first=0):
    source = data.open_source("tfds:cifar10_subset:test", data_dir=shared / "data")
    records = [source.read(i) for i in range(first, first + 32)]
    labels = np.asarray([r.label for r in records], np.int32)
    return np.stack([r.image for r in records]), labels


def predict_of(shared, name):
    if name == "robust":
        return models.predictor(models.load_model("cifar10_resnet20_robust"))
    path = shared / "weights" / "resnet20-12fca82f.th"
    return models.predictor(models.convert_torch(path, architecture="resnet20"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["plain", "robust"])
def test_silent_on_sound_networks(shared, name):
    predict = predict_of(shared, name)
    for first in (0, 32, 64):
        images, labels = images_of(shared, first)
        key = jax.random.key(first)
        checks = check_model(key, predict, images, labels)
        checks += check_attack(key, predict, images, labels, eps=EPS, norm="linf")
        assert failed_lines(checks) == []
        unmeasured = {c.name for c in checks if c.passed is None}
        assert unmeasured == (set() if "square" in ATTACKS else {"black box"})


@pytest.mark.slow
def test_gradient_concealment_is_caught(shared):
    predict = faulty_models.planted("concealing", predict_of(shared, "plain"))
    images, labels = images_of(shared)
    checks = check_model(jax.random.key(0), predict, images, labels)
    failed = {c.name for c in checks if c.passed is False}
    assert failed == {"sign coherence", "gradient is the derivative"}
    if "square" in ATTACKS:
        checks = check_attack(
            jax.random.key(0), predict, images, labels, eps=EPS, norm="linf"
        )
        assert "black box" in {c.name for c in checks if c.passed is False}
