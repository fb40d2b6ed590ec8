"""How many images a program computes at once."""

import unittest.mock

import jax
from absl.testing import absltest, parameterized

from mspd_jax import drive

FEW, MANY = 270_000, 11_000_000


class ImagesPerBlockTest(parameterized.TestCase):
    @parameterized.parameters(
        (8, FEW, 1, 16),
        (8, FEW, 4, 4),
        (8, MANY, 1, 128),
        (32, FEW, 1, 1),
        (32, MANY, 1, 8),
        (32, MANY, 4, 2),
        (32, MANY, 20, 1),
        (64, MANY, 1, 8),
        (224, MANY, 1, 4),
        (224, MANY, 4, 1),
        (600, MANY, 1, 1),
    )
    def test_on_a_cpu(self, side, weights, draws, images):
        """Many weights are read once for several images, as far as these fit."""
        shape = (side, side, 3)
        found = drive.images_per_block(shape, weights=weights, draws=draws)
        self.assertEqual(found, images)

    def test_an_accelerator_wants_many(self):
        with unittest.mock.patch.object(jax, "default_backend", return_value="gpu"):
            found = drive.images_per_block((32, 32, 3), weights=FEW, draws=4)
        self.assertEqual(found, 128)


if __name__ == "__main__":
    absltest.main()
