"""Names of tensors in PyTorch state dicts, each of one variable."""

import jax
import pytest

from mspd_jax import models
from mspd_jax.models._initialize import variable_shapes
from mspd_jax.models._torch_names import torch_name
from tests.models.cifar10_networks import spec

NAMES = {
    "resnet20": "resnet",
    "preact_resnet18": "preact_resnet",
    "wide_resnet10_1": "wide_resnet",
    "resnet50": "imagenet_resnet",
    "bagnet33": "bagnet",
    "small_cnn": "small_cnn",
    "dncnn": "dncnn",
    "memnet": "memnet",
}


@pytest.mark.parametrize("architecture", NAMES)
def test_each_variable_has_a_name_of_its_own(architecture):
    classes = 0 if architecture in ("dncnn", "memnet") else 10
    module = models.build_module(spec(architecture)._replace(num_classes=classes))
    shapes = variable_shapes(module, (64, 64, 3))
    paths = [
        tuple(key.key for key in path)
        for path, _ in jax.tree_util.tree_flatten_with_path(shapes)[0]
    ]
    names = {torch_name(NAMES[architecture], path) for path in paths}
    assert len(names) == len(paths)
    assert not any("/" in name or "stage" in name for name in names)


@pytest.mark.parametrize(
    ("family", "path", "name"),
    [
        (
            "resnet",
            "batch_stats/stage0_block1/second/norm/var",
            "layer1.1.bn2.running_var",
        ),
        ("preact_resnet", "params/norm/scale", "batchnorm.weight"),
        ("imagenet_resnet", "params/head/bias", "fc.bias"),
        ("bagnet", "params/point/kernel", "conv1.weight"),
        ("dncnn", "params/layer1/norm/bias", "dncnn.6.bias"),
    ],
)
def test_names_are_those_of_the_reference(family, path, name):
    assert torch_name(family, tuple(path.split("/"))) == name
