"""Swin: sizes of the published networks, types, images of another size."""

import jax
import jax.numpy as jnp
import pytest
from absl.testing import parameterized

from mspd_jax import models
from mspd_jax.errors import InputError
from tests.models.networks.imagenet_networks import spec_of
from tests.models.networks.token_networks import logits_shape, parameters, small_model

pytestmark = pytest.mark.compiling


class SwinTest(parameterized.TestCase):
    @parameterized.parameters(
        ("swin_tiny", 28_288_354),
        ("swin_small", 49_606_258),
        ("swin_base", 87_768_224),
        ("swin_large", 196_532_476),
        ("swin_base_mimir", 87_768_224),
        ("swin_large_mimir", 196_794_556),
    )
    def test_parameters_are_as_many_as_the_reference_has(self, name, count):
        self.assertEqual(parameters(name), count)

    def test_one_image_gives_logits_in_either_type(self):
        model = small_model("swin_tiny")
        for dtype in (jnp.float32, jnp.bfloat16):
            out = logits_shape(model, dtype)
            self.assertEqual((out.shape, out.dtype), ((7,), jnp.float32))

    def test_the_robust_ones_of_mimir_norm_with_less(self):
        for name, epsilon in (("swin_base", 1e-5), ("swin_base_mimir", 1e-6)):
            module = models.build_module(spec_of(name))
            self.assertEqual(module.epsilon, epsilon)

    def test_images_with_other_windows_are_refused(self):
        predict = models.predictor(small_model("swin_tiny", size=(32, 32)))
        with self.assertRaisesRegex(InputError, r"table is \(\d+, \d+\), and these"):
            jax.eval_shape(predict, jnp.zeros((64, 64, 3)))
