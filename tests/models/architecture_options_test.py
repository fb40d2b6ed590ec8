"""What the options of the architectures may be."""

from absl.testing import parameterized

from mspd_jax import models
from tests.models.cifar10_networks import spec


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
