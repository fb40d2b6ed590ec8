"""Vision transformers: sizes of the published networks, types, sizes of images."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import parameterized

from mspd_jax import models
from mspd_jax.errors import InputError
from tests.models.networks.token_networks import logits_shape, parameters, small_model

pytestmark = pytest.mark.compiling


class VisionTransformerTest(parameterized.TestCase):
    @parameterized.parameters(
        ("vit_small", 22_050_664),
        ("vit_base", 86_567_656),
        ("vit_small_convstem", 22_777_576),
        ("vit_base_convstem", 87_147_112),
        ("deit_small", 22_050_664),
        ("deit_base", 86_567_656),
    )
    def test_parameters_are_as_many_as_timm_has(self, name, count):
        self.assertEqual(parameters(name), count)

    @parameterized.parameters("vit_small", "vit_small_convstem")
    def test_one_image_gives_logits_in_either_type(self, name):
        model = small_model(name)
        for dtype in (jnp.float32, jnp.bfloat16):
            out = logits_shape(model, dtype)
            self.assertEqual((out.shape, out.dtype), ((7,), jnp.float32))

    def test_images_of_another_size_are_refused(self):
        predict = models.predictor(small_model("vit_small", size=(32, 32)))
        problem = r"pos_embed is \(1, 17, 12\), and .* want \(1, 26, 12\)"
        with self.assertRaisesRegex(InputError, problem):
            jax.eval_shape(predict, jnp.zeros((40, 40, 3)))

    def test_heads_that_do_not_divide_the_channels_are_refused(self):
        with self.assertRaisesRegex(InputError, "`heads` 6 does not divide the 16"):
            small_model("vit_small", width=16)

    def test_tokens_and_positions_begin_small_but_not_at_zero(self):
        embed = small_model("vit_small", width=384).variables["params"]["embed"]
        for leaf in (embed["pos_embed"], embed["class"]["cls_token"]):
            # 384 draws or more: 4 sigma are 15 %.
            np.testing.assert_allclose(np.std(leaf), 0.02, rtol=0.15)
