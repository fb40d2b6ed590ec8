"""CIFAR ResNets have the published sizes."""

import pytest

from tests.models.cifar10_networks import millions_of


# He et al. 2016, table 6.
@pytest.mark.parametrize(
    ("depth", "millions", "digits"),
    [(20, 0.27, 2), (32, 0.46, 2), (44, 0.66, 2), (56, 0.85, 2), (110, 1.7, 1)],
)
def test_size_is_the_published_one(depth, millions, digits):
    assert round(millions_of(f"resnet{depth}"), digits) == millions
