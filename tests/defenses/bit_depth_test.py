"""Fewer levels: against whole numbers in float64."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized

from mspd_jax.attacks import straight_through
from mspd_jax.defenses import bit_depth
from tests.defenses.contract import check_contract, pictures

IMAGE = np.random.default_rng(0).uniform(0, 1, (5, 6, 3)).astype(np.float32)


class BitDepthTest(parameterized.TestCase):
    @parameterized.parameters(*range(1, 9))
    def test_takes_the_nearest_level(self, bits):
        got = np.asarray(bit_depth(jnp.asarray(IMAGE), bits=bits))
        levels = np.arange(2**bits) / (2**bits - 1)
        gaps = np.abs(np.float64(IMAGE)[..., None] - levels)
        np.testing.assert_allclose(got, levels[gaps.argmin(axis=-1)], atol=1e-7)
        self.assertLessEqual(len(np.unique(got)), 2**bits)

    def test_eight_bits_are_what_a_file_holds(self):
        image = np.arange(256, dtype=np.float32).reshape(16, 16, 1) / np.float32(255)
        got = jax.jit(lambda x: bit_depth(x, bits=8))(image)
        np.testing.assert_allclose(got, image, rtol=1e-7)

    def test_keeps_black_and_white(self):
        ends = jnp.array([0.0, 1.0]).reshape(1, 2, 1)
        np.testing.assert_array_equal(bit_depth(ends, bits=3), ends)

    def test_has_no_gradient_but_the_one_put_in_its_place(self):
        def total(transform):
            return jax.grad(lambda x: jnp.sum(transform(x)))(jnp.asarray(IMAGE))

        coarse = functools.partial(bit_depth, bits=3)
        self.assertEqual(np.abs(total(coarse)).max(), 0.0)
        np.testing.assert_array_equal(total(straight_through(coarse)), 1.0)

    def test_contract(self):
        coarse = functools.partial(bit_depth, bits=4)
        check_contract(self, coarse, pictures((9, 6, 3)), rounding=0.0)

    @parameterized.parameters(0, 9, -1, 2.0, True, None)
    def test_bad_bits(self, bits):
        message = f"bits must be an integer of 1 to 8; got {bits}"
        with self.assertRaisesRegex(ValueError, message):
            bit_depth(jnp.asarray(IMAGE), bits=bits)
