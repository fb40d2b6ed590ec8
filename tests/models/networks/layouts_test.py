"""How variables lie in PyTorch: transposed, and flattened with the channels first."""

import numpy as np
import pytest

from mspd_jax.models.networks._layouts import FLATTENED, TRANSPOSED


@pytest.mark.parametrize(
    ("ours", "torch"),
    [((7,), (7,)), ((3, 4), (4, 3)), ((1, 2, 3, 4), (4, 3, 1, 2))],
)
def test_transposed(ours, torch):
    assert TRANSPOSED.shape(ours) == torch
    tensor = np.random.default_rng(0).random(torch)
    variable = TRANSPOSED.read(tensor, ours)
    assert variable.shape == ours
    for index in np.ndindex(ours):
        other = (*index[:-3:-1], *index[:-2])
        assert variable[index] == tensor[other]


def test_flattened_reads_a_map_as_pytorch_reads_its_own():
    rng = np.random.default_rng(1)
    image, tensor = rng.random((2, 3, 5)), rng.random((4, 30))
    shape = (2, 3, 5, 4)
    assert FLATTENED.shape(shape) == (4, 30)
    kernel = FLATTENED.read(tensor, shape)
    expected = tensor @ image.transpose(2, 0, 1).ravel()
    np.testing.assert_allclose(np.einsum("hwc,hwck->k", image, kernel), expected)
