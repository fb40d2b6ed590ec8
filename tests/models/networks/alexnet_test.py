"""AlexNet: its published size, layers by torchvision's numbers, the least image."""

import jax
import pytest

from mspd_jax import models
from mspd_jax.errors import InputError
from tests.models.networks.published_sizes import parameters_of


@pytest.mark.parametrize("size", [63, 224])
def test_size_is_the_published_one(size):
    # torchvision's own figure.
    assert parameters_of("alexnet", size=size, num_classes=1000) == 61_100_840


def spec(*size):
    return models.ModelSpec("alexnet", {"width": 2}, (0.0,), (1.0,), 3, (*size, 1), {})


def test_layers_have_the_numbers_and_maps_of_torchvision():
    module = models.build_module(spec(224, 63))
    names = ["layer0", "pool2", "layer3", "pool5", "layer6", "layer8", "layer10"]
    assert list(module.layers()) == [*names, "pool12", "pool", "dense0", "dense1"]

    def map_of(last):
        image = jax.ShapeDtypeStruct((224, 63, 1), "float32")
        made, _ = jax.eval_shape(
            lambda x: module.init_with_output(jax.random.key(0), x, span=(None, last)),
            image,
        )
        return made.shape

    assert map_of("layer0") == (55, 15, 2)
    assert map_of("layer3") == (27, 7, 6)
    assert map_of("layer6") == (13, 3, 12)
    assert map_of("pool12") == (6, 1, 8)
    assert map_of("pool") == (6, 6, 8)


@pytest.mark.parametrize("size", [(62, 63), (64, 3)])
def test_images_of_which_nothing_is_left_are_refused(size):
    with pytest.raises(InputError, match="too small for an AlexNet"):
        jax.eval_shape(
            lambda key: models.create_model(key, spec(*size)), jax.random.key(0)
        )
