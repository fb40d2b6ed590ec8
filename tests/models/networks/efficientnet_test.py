"""EfficientNets: published sizes and widths, activations, what a block adds."""

import jax
import jax.numpy as jnp
import pytest

from mspd_jax import models
from mspd_jax.models._architectures import family_of
from mspd_jax.models.networks._efficientnet import InvertedBlock, rounded, scaled
from tests.models.networks.published_sizes import parameters_of

pytestmark = pytest.mark.compiling


# The figures of torchvision and timm.
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("efficientnet_b0", 5_288_548),
        ("efficientnet_b3", 12_233_232),
        ("efficientnet_lite0", 4_652_008),
    ],
)
def test_size_is_the_published_one(name, expected):
    assert parameters_of(name, size=32, num_classes=1000) == expected


def test_stages_of_the_largest():
    stages = list(scaled(4))
    assert [stage.width for stage in stages] == [24, 32, 56, 112, 160, 272, 448]
    assert [stage.blocks for stage in stages] == [2, 4, 4, 6, 6, 8, 2]


@pytest.mark.parametrize(
    ("width", "expected"), [(3, 8), (16.0, 16), (19.2, 24), (28.8, 32), (44, 48)]
)
def test_widths_are_multiples_of_eight_and_not_much_less(width, expected):
    assert rounded(width) == expected


@pytest.mark.parametrize(("name", "size"), [("b0", 224), ("b4", 380), ("lite0", 224)])
def test_usual_image_size(name, size):
    assert family_of(f"efficientnet_{name}").size == size


@pytest.mark.parametrize(
    ("features", "strides", "added"), [(4, 1, True), (4, 2, False), (5, 1, False)]
)
def test_a_block_adds_its_input_where_the_shape_is_the_same(features, strides, added):
    block = InvertedBlock(features, strides, 3, 1, 0, jax.nn.silu, folded=True)
    # One pixel, which a stride of 2 leaves one; a branch of zeros.
    x = jnp.arange(1.0, 5.0).reshape(1, 1, 4)
    shapes = jax.eval_shape(block.init, jax.random.key(0), x)
    zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
    out = block.apply(zeros, x)
    assert out.shape == (1, 1, features)
    assert (out == (x if added else 0)).all()


def test_the_lite_one_has_no_gates_and_no_smooth_activation():
    def program_of(name):
        spec = models.ModelSpec(name, {}, (0.0,), (1.0,), 2, (32, 32, 1), {})
        module = models.build_module(spec)
        image = jnp.zeros((32, 32, 1))
        shapes = jax.eval_shape(module.init, jax.random.key(0), image)
        return str(jax.make_jaxpr(module.apply)(shapes, image))

    assert "logistic" not in program_of("efficientnet_lite0")
    assert "logistic" in program_of("efficientnet_b0")
