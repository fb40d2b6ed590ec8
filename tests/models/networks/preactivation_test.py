"""PreAct and Wide ResNets have the published sizes and return logits."""

import jax
import pytest

from mspd_jax import models
from mspd_jax.models._initialize import variable_shapes
from tests.models.networks.cifar10_networks import millions_of, spec


@pytest.mark.parametrize(
    ("name", "millions", "digits"),
    [
        # Zagoruyko and Komodakis 2016, tables 4 and 5 (28-10: 36.5); Gowal et al. 2020
        # (70-16: 267).
        ("wide_resnet16_8", 11.0, 1),
        ("wide_resnet28_10", 36.5, 1),
        ("wide_resnet70_16", 267, 0),
    ],
)
def test_size_is_the_published_one(name, millions, digits):
    assert round(millions_of(name), digits) == millions


@pytest.mark.parametrize("name", ["wide_resnet94_16", "preact_resnet34"])
def test_large_networks_return_logits(name):
    module = models.build_module(spec(name))
    shapes = variable_shapes(module, (32, 32, 3))
    image = jax.ShapeDtypeStruct((2, 32, 32, 3), "float32")
    assert jax.eval_shape(module.apply, shapes, image).shape == (2, 10)


@pytest.mark.parametrize("cosine", [False, True])
def test_a_head_of_cosines_has_no_bias(cosine):
    module = models.build_module(spec("plain_wide_resnet10_1", cosine=cosine))
    head = variable_shapes(module, (32, 32, 3))["params"]["head"]
    assert head["kernel"].shape == (64, 10)
    assert ("bias" in head) != cosine
