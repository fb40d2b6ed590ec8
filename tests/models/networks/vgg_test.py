"""VGG: published sizes, layers by torchvision's numbers, means over windows."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mspd_jax import models
from mspd_jax.errors import InputError
from mspd_jax.models.networks._vgg import adaptive_average
from tests.models.networks.published_sizes import parameters_of

pytestmark = pytest.mark.compiling


# torchvision's own figures.
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("vgg11", 132_863_336),
        ("vgg11_bn", 132_868_840),
        ("vgg13", 133_047_848),
        ("vgg13_bn", 133_053_736),
        ("vgg16", 138_357_544),
        ("vgg16_bn", 138_365_992),
        ("vgg19", 143_667_240),
        ("vgg19_bn", 143_678_248),
    ],
)
def test_size_is_the_published_one(name, expected):
    assert parameters_of(name, size=64, num_classes=1000) == expected


def test_size_of_the_one_for_cifar():
    # Nine 3x3 convolutions fewer than a million each, two layers of 512, ten classes.
    count = parameters_of("vgg11_bn", size=32, num_classes=10, hidden=512, places=1)
    assert count == 9_756_426


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("vgg11_bn", ["layer0", "pool3", "layer4", "pool7", "layer8", "layer11"]),
        ("vgg11", ["layer0", "pool2", "layer3", "pool5", "layer6", "layer8"]),
    ],
)
def test_layers_have_the_numbers_of_torchvision(name, names):
    spec = models.ModelSpec(name, {}, (0.0,), (1.0,), 2, (32, 32, 1), {})
    assert list(models.build_module(spec).layers())[:6] == names


@pytest.mark.parametrize("size", [(1, 1), (2, 5), (3, 3), (7, 4), (9, 6)])
def test_adaptive_average_takes_the_mean_of_each_window(size):
    x = np.random.default_rng(0).random((2, *size, 2), np.float32)
    expected = np.zeros((2, 3, 3, 2))
    for row in range(3):
        for column in range(3):
            rows, columns = (
                slice(place * n // 3, -(-(place + 1) * n // 3))
                for place, n in zip((row, column), size, strict=True)
            )
            expected[:, row, column] = x[:, rows, columns].mean((1, 2))
    for images, wanted in ((x, expected), (x[0], expected[0])):
        average = adaptive_average(jnp.asarray(images), 3)
        np.testing.assert_allclose(average, wanted, rtol=1e-6)


def test_adaptive_average_of_a_map_that_fits_is_the_map():
    program = jax.make_jaxpr(lambda x: adaptive_average(x, 3))(jnp.zeros((3, 3, 2)))
    assert not program.eqns


@pytest.mark.parametrize("size", [(31, 32), (32, 16)])
def test_images_of_which_nothing_is_left_are_refused(size):
    spec = models.ModelSpec("vgg11", {"width": 1}, (0.0,), (1.0,), 2, (*size, 1), {})
    with pytest.raises(InputError, match="too small for a VGG"):
        jax.eval_shape(lambda key: models.create_model(key, spec), jax.random.key(0))
