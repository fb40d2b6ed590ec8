"""MemNet: its size, its two forms, and what it is not."""

import jax
from absl.testing import parameterized

from mspd_jax import models
from tests.models.networks import denoisers
from tests.models.networks.denoisers import size, spec


class MemNetTest(denoisers.Contract):
    name = "memnet"

    def test_size(self):
        # 36 convolutions in residual blocks, three gates over 7, 8 and 9 inputs of 64
        # channels, first and last convolution.
        wanted = (
            36 * (9 * 64**2 + 2 * 64)
            + sum(n * 64 * 64 + 2 * n * 64 for n in (7, 8, 9))
            + (27 * 64 + 2 * 3)
            + (27 * 64 + 2 * 64)
        )
        self.assertEqual(size("memnet"), wanted)

    @parameterized.parameters(({"blocks": 0},), ({"depth": 3},))
    def test_bad_sizes_are_refused(self, options):
        with self.assertRaises(ValueError):
            models.create_model(jax.random.key(0), spec("memnet", **options))
