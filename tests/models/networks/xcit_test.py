"""XCiT: sizes of the published networks, types, images of any size."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import parameterized

from mspd_jax import models
from mspd_jax.models._initialize import initialize
from mspd_jax.models.networks._xcit import CrossCovarianceAttention, position_waves
from tests.models.networks.token_networks import logits_shape, parameters, small_model

pytestmark = pytest.mark.compiling


class XCiTTest(parameterized.TestCase):
    @parameterized.parameters(
        ("xcit_small_12_p16", 1000, 26_253_304),
        ("xcit_medium_12_p16", 1000, 46_401_160),
        ("xcit_large_12_p16", 1000, 103_792_648),
        ("xcit_small_12_p4", 10, 25_872_154),
        ("xcit_medium_12_p4", 10, 45_893_290),
        ("xcit_large_12_p4", 10, 103_031_338),
    )
    def test_parameters_are_as_many_as_robustbench_has(self, name, classes, count):
        self.assertEqual(parameters(name, size=64, classes=classes), count)

    @parameterized.parameters(
        ("xcit_small_12_p16", (3, 3)), ("xcit_small_12_p4", (9, 9))
    )
    def test_strides_decide_the_number_of_places(self, name, places):
        model = small_model(name, size=(36, 36))
        module = models.build_module(model.spec)
        apply = functools.partial(module.apply, model.variables, span=(None, "embed"))
        shape = jax.eval_shape(apply, jnp.zeros((36, 36, 3))).shape
        self.assertEqual(shape, (*places, 16))

    def test_one_image_of_any_size_gives_logits_in_either_type(self):
        model = small_model("xcit_small_12_p16")
        for size, dtype in (((32, 36), jnp.bfloat16), ((17, 50), jnp.float32)):
            spec = model.spec._replace(image_shape=(*size, 3))
            out = logits_shape(model._replace(spec=spec), dtype)
            self.assertEqual((out.shape, out.dtype), ((7,), jnp.float32))

    @parameterized.parameters((16, 1.0), (4, 0.2471))
    def test_only_the_robust_ones_for_cifar_normalize(self, patch, std):
        _, found = models.default_normalization(f"xcit_large_12_p{patch}", 3)
        self.assertEqual(found[0], std)

    def test_attention_is_between_channels(self):
        """Places in another order come out in that order, and count channels alone."""
        x = jax.random.normal(jax.random.key(0), (3, 4, 6))
        module = CrossCovarianceAttention(2)
        variables = initialize(jax.random.key(1), module, x.shape)
        apply = jax.jit(functools.partial(module.apply, variables))
        np.testing.assert_allclose(apply(x[::-1])[::-1], apply(x), rtol=1e-4, atol=1e-5)
        gradient = jax.jit(jax.grad(lambda x: apply(x).sum()))(jnp.zeros_like(x))
        assert np.isfinite(gradient).all()


def test_positions_are_waves_of_rows_then_columns():
    waves = position_waves(4, 5)
    assert waves.shape == (4, 5, 64)
    angle = 2 * np.pi * 3 / 5
    np.testing.assert_allclose(waves[1, 2, 32], np.sin(angle), atol=1e-5)
    np.testing.assert_allclose(waves[1, 2, 33], np.cos(angle), atol=1e-5)
    slower = 10000 ** (2 / 32)
    np.testing.assert_allclose(waves[0, 2, 2], np.sin(np.pi / 2 / slower), atol=1e-5)
