"""Names, options, normalizations and sizes of the architectures."""

import math

import jax
import pytest
from absl.testing import parameterized

from mspd_jax import models
from mspd_jax.errors import InputError
from mspd_jax.models._initialize import variable_shapes


def spec(name, **options):
    return models.ModelSpec(
        architecture=name,
        options=options,
        mean=(0.0,) * 3,
        std=(1.0,) * 3,
        num_classes=10,
        image_shape=(32, 32, 3),
        origin={},
    )


class ParseTest(parameterized.TestCase):
    @parameterized.parameters(
        ("resnet20", {}),
        ("resnet110", {}),
        ("preact_resnet18", {"activation": "silu"}),
        ("wide_resnet28_10", {"activation": "silu"}),
        ("wide_resnet94_16", {"activation": "silu"}),
        ("small_cnn", {"activation": "relu", "widths": [16, 32, 64], "norm": True}),
    )
    def test_accepted(self, name, options):
        self.assertEqual(models.parse_architecture(name), (name, options))

    @parameterized.parameters(
        "", "resnet21", "resnet20 ", "ResNet20", "wide_resnet28", "wide_resnet29_10",
        "wide_resnet28_0", "wide_resnet28-10", "wide_resnet4_1", "preact_resnet50",
    )  # fmt: skip
    def test_unknown_name_lists_the_known(self, name):
        with self.assertRaises(InputError) as caught:
            models.parse_architecture(name)
        message = str(caught.exception)
        self.assertNotIn("\n", message)
        for known in ("resnet110", "preact_resnet18", "wide_resnet28_10", "small_cnn"):
            self.assertIn(known, message)

    @parameterized.parameters(
        ("small_cnn", dict(widths=[])),
        ("small_cnn", dict(widths=[8, 0])),
        ("small_cnn", dict(widths="16")),
        ("small_cnn", dict(norm=1)),
        ("wide_resnet28_10", dict(activation="tanh")),
        ("resnet20", dict(activation="relu")),
        ("small_cnn", dict(depth=3)),
    )
    def test_bad_option_is_refused(self, name, options):
        with self.assertRaises(ValueError):
            models.build_module(spec(name, **options))


class NormalizationTest(parameterized.TestCase):
    @parameterized.parameters(
        ("resnet32", 3, 0.485, 0.229),
        ("wide_resnet28_10", 3, 0.4914, 0.2471),
        ("preact_resnet18", 3, 0.4914, 0.2471),
        ("small_cnn", 3, 0.0, 1.0),
        ("resnet20", 1, 0.0, 1.0),
    )
    def test_default(self, name, channels, mean, std):
        means, stds = models.default_normalization(name, channels)
        self.assertEqual((len(means), len(stds)), (channels, channels))
        self.assertEqual((means[0], stds[0]), (mean, std))


@pytest.mark.parametrize(
    ("name", "millions", "digits"),
    [
        # He et al. 2016, table 6; Zagoruyko and Komodakis 2016, tables 4 and 5
        # (28-10: 36.5); Gowal et al. 2020 (70-16: 267).
        ("resnet20", 0.27, 2),
        ("resnet32", 0.46, 2),
        ("resnet44", 0.66, 2),
        ("resnet56", 0.85, 2),
        ("resnet110", 1.7, 1),
        ("wide_resnet16_8", 11.0, 1),
        ("wide_resnet28_10", 36.5, 1),
        ("wide_resnet70_16", 267, 0),
    ],
)
def test_size_is_the_published_one(name, millions, digits):
    module = models.build_module(spec(name))
    shapes = variable_shapes(module, (32, 32, 3))["params"]
    size = sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(shapes))
    assert round(size / 1e6, digits) == millions


@pytest.mark.parametrize("name", ["wide_resnet94_16", "preact_resnet34"])
def test_large_networks_give_logits(name):
    module = models.build_module(spec(name))
    shapes = variable_shapes(module, (32, 32, 3))
    image = jax.ShapeDtypeStruct((2, 32, 32, 3), "float32")
    assert jax.eval_shape(module.apply, shapes, image).shape == (2, 10)
