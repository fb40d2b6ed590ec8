"""The constants of JPEG against Pillow's files and SciPy's transform."""

import numpy as np
from absl.testing import parameterized
from scipy import fft

from mspd_jax.defenses._jpeg_tables import cosines, quantization_table
from tests.defenses.contract import by_pillow, pictures

IMAGES = pictures((17, 23, 3), count=6)


class TablesTest(parameterized.TestCase):
    @parameterized.parameters(1, 2, 10, 33, 49, 50, 51, 75, 95, 99, 100)
    def test_tables_are_those_of_the_file(self, quality):
        _, tables = by_pillow(IMAGES[0], quality)
        np.testing.assert_array_equal(quantization_table(quality), tables[0])
        chroma = quantization_table(quality, chroma=True)
        np.testing.assert_array_equal(chroma, tables[1])

    def test_cosines_are_the_orthonormal_transform(self):
        block = np.random.default_rng(0).normal(size=(8, 8))
        basis = np.float64(cosines())
        want = fft.dctn(block, norm="ortho")
        np.testing.assert_allclose(basis @ block @ basis.T, want, atol=1e-6)
        np.testing.assert_allclose(basis @ basis.T, np.eye(8), atol=1e-7)
