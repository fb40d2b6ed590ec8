"""Wide ResNets by stage: published sizes, padding, gates, momentum."""

import jax
import jax.numpy as jnp
import pytest

from mspd_jax import models
from mspd_jax.models._initialize import variable_shapes
from tests.models.networks.cifar10_networks import spec
from tests.models.networks.published_sizes import parameters_of

pytestmark = pytest.mark.compiling

SMALL = dict(blocks=[1, 1, 1], widths=[4, 8, 4])


@pytest.mark.parametrize(
    ("name", "millions"),
    # Table 4 of Huang et al. 2021; of WRN-A4 and RaWRN-70-16 the abstracts.
    [("robust_wide_resnet", 68.12), ("wrn_a4", 147.29), ("ra_wrn70_16", 267.24)],
)
def test_size_is_the_published_one(name, millions):
    count = parameters_of(name, size=32, num_classes=10)
    assert round(count / 1e6, 2) == millions


@pytest.mark.parametrize(
    ("name", "padding"),
    [("wrn_a4", "((1, 1), (1, 1))"), ("ra_wrn70_16", "((0, 1), (0, 1))")],
)
def test_padding_of_strided_convolutions(name, padding):
    module = models.build_module(spec(name, **SMALL))
    image = jax.ShapeDtypeStruct((32, 32, 3), jnp.float32)
    shapes = variable_shapes(module, image.shape)
    text = str(jax.make_jaxpr(module.apply)(shapes, image)).replace("\n", " ")
    strided = [
        part
        for part in text.split("dense_convolution[")[1:]
        if "strides=(2, 2)" in part and "window=(3, 3)" in part
    ]
    assert len(strided) == 2
    assert all(f"padding={padding}" in part for part in strided)


def test_a_stride_alone_takes_a_shortcut():
    module = models.build_module(spec("wrn_a4", blocks=[1, 1, 1], widths=[4, 4, 4]))
    shapes = variable_shapes(module, (32, 32, 3))["params"]
    for stage in (1, 2):
        assert shapes[f"stage{stage}_block0"]["shortcut"]["kernel"].shape[2:] == (4, 4)


@pytest.mark.parametrize(
    ("name", "narrow", "stem"),
    [("wrn_a4", None, 16), ("robust_wide_resnet", None, 16), ("ra_wrn70_16", 54, 96)],
)
def test_gates_and_stem(name, narrow, stem):
    module = models.build_module(spec(name, blocks=[1, 1, 1], widths=[216, 4, 4]))
    shapes = variable_shapes(module, (32, 32, 3))["params"]
    assert shapes["stem"]["kernel"].shape[-1] == stem
    block = shapes["stage0_block0"]
    found = block["gate"]["first"]["kernel"].shape[-1] if "gate" in block else None
    assert found == narrow


@pytest.mark.parametrize(("name", "kept"), [("wrn_a4", 0.9), ("ra_wrn70_16", 0.99)])
def test_what_running_moments_keep(name, kept):
    layers = models.build_module(spec(name, **SMALL)).layers()
    assert layers["stage0_block0"].momentum == kept
