"""ConvNeXt: sizes of the published networks, types, how residual branches begin."""

import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import parameterized

from mspd_jax import models
from mspd_jax.errors import InputError
from tests.models.networks.token_networks import logits_shape, parameters, small_model

pytestmark = pytest.mark.compiling


class ConvNeXtTest(parameterized.TestCase):
    @parameterized.parameters(
        ("convnext_tiny", 28_589_128),
        ("convnext_small", 50_223_688),
        ("convnext_base", 88_591_464),
        ("convnext_large", 197_767_336),
        ("convnext_tiny_convstem", 28_627_432),
        ("convnext_small_convstem", 50_261_992),
        ("convnext_base_convstem", 88_753_416),
        ("convnext_large_convstem", 198_134_680),
    )
    def test_parameters_are_as_many_as_timm_has(self, name, count):
        self.assertEqual(parameters(name), count)

    @parameterized.parameters("convnext_tiny", "convnext_base_convstem")
    def test_one_image_gives_logits_in_either_type(self, name):
        model = small_model(name)
        for dtype in (jnp.float32, jnp.bfloat16):
            out = logits_shape(model, dtype)
            self.assertEqual((out.shape, out.dtype), ((7,), jnp.float32))

    def test_branches_begin_near_zero(self):
        params = small_model("convnext_tiny").variables["params"]
        np.testing.assert_array_equal(
            params["stage2_block1"]["gamma"], np.full(8, 1e-6, np.float32)
        )

    def test_the_robust_convstems_take_pixels_as_they_are(self):
        normalization = models.default_normalization
        self.assertEqual(normalization("convnext_tiny_convstem", 3)[1], (1.0,) * 3)
        self.assertEqual(normalization("convnext_tiny", 3)[1], (0.229, 0.224, 0.225))

    def test_images_smaller_than_a_patch_are_refused(self):
        with self.assertRaisesRegex(InputError, "too small: a map of 1x1 holds no"):
            small_model("convnext_tiny", size=(12, 12))
