"""ResNeXt: its size, its groups, the depths that exist."""

import jax
import pytest

from mspd_jax import models
from mspd_jax.errors import InputError
from mspd_jax.models._initialize import variable_shapes
from tests.models.networks.cifar10_networks import spec
from tests.models.networks.published_sizes import parameters_of

pytestmark = pytest.mark.compiling


@pytest.mark.parametrize(
    ("name", "expected"),
    # Xie et al. 2017, table 7: 34.4 and 68.1 million; AugMix: 6.8.
    [
        ("resnext29_8x64d", 34_426_698),
        ("resnext29_16x64d", 68_155_210),
        ("resnext29_4x32d", 6_807_882),
    ],
)
def test_size_is_the_published_one(name, expected):
    assert parameters_of(name, size=32, num_classes=10) == expected


def test_a_group_reads_its_own_channels_alone():
    module = models.build_module(spec("resnext29_4x32d"))
    shapes = variable_shapes(module, (32, 32, 3))["params"]["stage1_block0"]
    kernels = {name: shapes[name]["conv"]["kernel"].shape for name in shapes}
    assert kernels == {
        "first": (1, 1, 256, 256),
        "second": (3, 3, 64, 256),
        "third": (1, 1, 256, 512),
        "shortcut": (1, 1, 256, 512),
    }
    assert len(jax.tree.leaves(shapes)) == 4 * 3


@pytest.mark.parametrize(
    "name", ["resnext28_4x32d", "resnext29_4x32", "resnext02_1x1d"]
)
def test_other_names_do_not_exist(name):
    with pytest.raises(InputError, match="does not exist"):
        models.parse_architecture(name)
