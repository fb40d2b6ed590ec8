"""Where training starts: moments of the data, options, and models that do not fit."""

import jax
import numpy as np
import pytest

from mspd_jax import models, train
from mspd_jax.errors import InputError

LEVELS = np.repeat(np.arange(40, dtype=np.uint8)[:, None] * 5, 64, axis=1)
EXAMPLES = train.Examples(
    LEVELS.reshape(40, 8, 8, 1), np.arange(40) % 4, np.arange(40), 4
)


def model_of(classes=4, shape=(8, 8, 1), arch="small_cnn"):
    channels = shape[-1]
    mean, std = (0.0,) * channels, (1.0,) * channels
    spec = models.ModelSpec(arch, {"widths": [2]}, mean, std, classes, shape, {})
    return models.create_model(jax.random.key(0), spec)


def test_a_new_classifier_is_normalized_by_the_data():
    spec = train.start_of(EXAMPLES, arch="small_cnn", arch_options={"widths": [3]})
    scaled = EXAMPLES.images / 255
    assert spec.mean == (pytest.approx(scaled.mean(), abs=1e-4),)
    assert spec.std == (pytest.approx(scaled.std(), abs=1e-4),)
    assert (spec.num_classes, spec.image_shape) == (4, (8, 8, 1))
    assert spec.options["widths"] == [3]


def test_a_new_denoiser_takes_images_as_they_are():
    spec = train.start_of(EXAMPLES, arch="dncnn", arch_options={"depth": 3})
    assert (spec.mean, spec.std, spec.num_classes) == ((0.0,), (1.0,), 0)


def test_a_model_to_go_on_from_is_returned_as_it_is():
    model = model_of()
    assert train.start_of(EXAMPLES, init=model) is model
    assert train.start_of(EXAMPLES, init=model, arch="small_cnn") is model


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "give `arch`=NAME, or `init`=CKPT"),
        ({"arch": "small_cnn", "arch_options": {"depth": 3}}, "depth"),
        ({"arch": "nothing"}, "nothing"),
        ({"init": model_of(7)}, "`init` has 7 classes, the training data have 4"),
        ({"init": model_of(shape=(8, 8, 3))}, r"images of shape \(8, 8, 3\)"),
        ({"init": model_of(), "arch": "resnet20"}, "leave `arch` out"),
    ],
)
def test_refusals(settings, words):
    with pytest.raises(InputError, match=words):
        train.start_of(EXAMPLES, **settings)


def test_a_fixed_classifier_must_read_the_data():
    train.check_classifier(model_of(), EXAMPLES, labeled=True)
    train.check_classifier(model_of(7), EXAMPLES, labeled=False)
    with pytest.raises(InputError, match="`classifier` has 7 classes"):
        train.check_classifier(model_of(7), EXAMPLES, labeled=True)
    with pytest.raises(InputError, match=r"`classifier`: a small_cnn for images \(4,"):
        train.check_classifier(model_of(shape=(4, 4, 1)), EXAMPLES, labeled=False)
