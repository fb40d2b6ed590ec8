"""Receptive fields of networks against brute force and the papers."""

import jax
import numpy as np
import pytest

from mspd_jax import models
from tests.models.brute_force import check_field


def spec(architecture, shape, **options):
    return models.ModelSpec(
        architecture=architecture,
        options=options,
        mean=(0.5,) * shape[-1],
        std=(0.25,) * shape[-1],
        num_classes=4,
        image_shape=shape,
        origin={},
    )


def network(of):
    """Normal weights, drawn without compiling anything."""
    shapes = jax.eval_shape(
        lambda key: models.create_model(key, of).variables, jax.random.key(0)
    )
    rng = np.random.default_rng(0)
    draw = jax.tree.map(lambda x: rng.normal(size=x.shape).astype(np.float32), shapes)
    if "batch_stats" in draw:
        draw["batch_stats"] = jax.tree.map(np.abs, draw["batch_stats"])
    return models.Model(of, draw)


SMALL_BAGNET = dict(width=2, blocks=[1, 1, 1, 1], strides=[2, 1, 1, 1])


@pytest.mark.parametrize(
    "architecture, shape, options, cut, size",
    [
        ("small_cnn", (12, 14, 1), {"widths": [2, 3, 2]}, "layer2", 9),
        ("resnet20", (14, 12, 3), {}, "stage0_block1", 11),
        ("bagnet9", (14, 15, 3), SMALL_BAGNET, "stage3_block0", 9),
        ("vgg11_bn", (32, 33, 1), {"width": 2, "hidden": 3}, "layer8", 18),
        ("efficientnet_lite0", (16, 14, 1), {}, "stage1_block0", 11),
        ("resnext20_2x8d", (8, 9, 1), {}, "stage0_block0", 5),
        pytest.param(
            *("densenet121", (29, 30, 1), {"width": 2, "growth": 1}),
            *("stage0_block0", 19),
            marks=pytest.mark.slow,
        ),
        ("wide_resnet10_1", (8, 12, 1), {"sparse": True}, "stage0_block0", 7),
    ],
)
def test_field_of_a_network(architecture, shape, options, cut, size):
    """size: pixels a side, as the layers of the paper have it."""
    parts = models.split(network(spec(architecture, shape, **options)), cut)
    check_field(parts.shallow, shape)
    assert [reach.high - reach.low + 1 for reach in parts.reaches] == [size, size]


@pytest.mark.parametrize("patch", [9, 17, 33])
def test_a_bagnet_sees_the_patches_of_its_name(patch):
    """Eight pixels apart, as Brendel and Bethge (2019) say of all three."""
    small = spec(f"bagnet{patch}", (64, 64, 3), width=1, blocks=[1, 1, 1, 1])
    reaches = models.split(network(small), "stage3_block0").reaches
    assert reaches == (models.Reach(8, 0, patch - 1),) * 2
