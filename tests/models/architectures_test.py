"""Names, normalizations and options of the architectures."""

from absl.testing import parameterized

from mspd_jax import models
from mspd_jax.errors import InputError
from tests.models.networks.cifar10_networks import spec


class ParseTest(parameterized.TestCase):
    @parameterized.parameters(
        ("resnet20", {}),
        ("resnet110", {}),
        ("preact_resnet18", {"activation": "silu"}),
        ("wide_resnet28_10", {"activation": "silu", "sparse": False}),
        ("wide_resnet94_16", {"activation": "silu", "sparse": False}),
        ("small_cnn", {"activation": "relu", "widths": [16, 32, 64], "norm": True}),
    )
    def test_accepted(self, name, options):
        self.assertEqual(models.parse_architecture(name), (name, options))

    @parameterized.parameters(
        *["", "resnet21", "resnet20 ", "ResNet20", "preact_resnet50"],
        *["wide_resnet28", "wide_resnet29_10", "wide_resnet28_0", "wide_resnet28-10"],
        "wide_resnet4_1",
    )
    def test_unknown_name_lists_the_known(self, name):
        with self.assertRaises(InputError) as caught:
            models.parse_architecture(name)
        message = str(caught.exception)
        self.assertNotIn("\n", message)
        for known in ("resnet110", "preact_resnet18", "wide_resnet28_10", "small_cnn"):
            self.assertIn(known, message)


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


class OptionsTest(parameterized.TestCase):
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
