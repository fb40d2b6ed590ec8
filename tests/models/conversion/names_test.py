"""Names of tensors in PyTorch state dicts, each of one variable."""

import re

import jax
import pytest

from mspd_jax import models
from mspd_jax.models._architectures import complete_options, family_of
from mspd_jax.models._initialize import variable_shapes
from mspd_jax.models.conversion._names import layout_of, torch_name
from mspd_jax.models.networks._layouts import AS_IT_IS, FLATTENED, TRANSPOSED
from tests.models.networks.cifar10_networks import spec

NAMES = [
    "resnet20",
    "preact_resnet18",
    "wide_resnet10_1",
    "plain_preact_resnet18",
    "plain_wide_resnet10_1",
    "cifar_resnet50",
    "preact_bottleneck_resnet50",
    "binary_preact_resnet18",
    "plain_cnn",
    "residual_cnn",
    "resnet50",
    "bagnet33",
    "alexnet",
    "vgg11",
    "vgg11_bn",
    "densenet121",
    "efficientnet_b1",
    "efficientnet_lite0",
    "resnext20_2x8d",
    "resnest50",
    "robust_wide_resnet",
    "wrn_a4",
    "ra_wrn70_16",
    "convnext_tiny",
    "convnext_base_convstem",
    "vit_small",
    "vit_small_convstem",
    "xcit_small_12_p16",
    "swin_tiny",
    "small_cnn",
    "dncnn",
    "memnet",
    "ddpm",
    "improved_ddpm",
]


def name_of(architecture, path):
    options = complete_options(architecture, {})
    return torch_name(family_of(architecture), options, path)


@pytest.mark.parametrize("architecture", NAMES)
def test_each_variable_has_a_name_of_its_own(architecture):
    module = models.build_module(spec(architecture))
    shapes = variable_shapes(module, (64, 64, 3))
    paths = [
        tuple(key.key for key in path)
        for path, _ in jax.tree_util.tree_flatten_with_path(shapes)[0]
    ]
    names = {name_of(architecture, path) for path in paths}
    assert len(names) == len(paths)
    assert not any(re.search(r"/|stage\d|^\.", name) for name in names)


@pytest.mark.parametrize(
    ("architecture", "path", "name"),
    [
        (
            "resnet20",
            "batch_stats/stage0_block1/second/norm/var",
            "layer1.1.bn2.running_var",
        ),
        ("preact_resnet18", "params/norm/scale", "batchnorm.weight"),
        (
            "preact_bottleneck_resnet50",
            "params/stage3_block2/norm0/bias",
            "layer4.2.bn0.bias",
        ),
        (
            "binary_preact_resnet18",
            "batch_stats/stage1_block0/shortcut/norm/mean",
            "layer2.0.shortcut.1.running_mean",
        ),
        ("resnet18", "params/head/bias", "fc.bias"),
        ("bagnet9", "params/point/kernel", "conv1.weight"),
        ("vgg11_bn", "params/layer4/norm/scale", "features.5.weight"),
        ("vgg11", "params/dense1/kernel", "classifier.3.weight"),
        (
            "densenet121",
            "params/transition0/norm0/bias",
            "features.transition1.norm.bias",
        ),
        (
            "efficientnet_b1",
            "params/stage0_block1/gate/first/bias",
            "features.1.1.block.1.fc1.bias",
        ),
        (
            "efficientnet_lite0",
            "params/stage0_block0/project/conv/kernel",
            "blocks.0.0.conv_pw.weight",
        ),
        ("ra_wrn70_16", "params/norm/scale", "batchnorm.weight"),
        ("ra_wrn101_2", "params/stem/norm/bias", "stem.stem.stem.1.bias"),
        (
            "ra_wrn101_2",
            "params/stage1_block10/gate/second/kernel",
            "stages.stage2.stage2-block10.F.se.fc2.weight",
        ),
        (
            "ra_wrn101_2",
            "batch_stats/stage0_block0/shortcut/norm/mean",
            "stages.stage1.stage1-block0.proj.1.running_mean",
        ),
        ("alexnet", "params/layer10/kernel", "features.10.weight"),
        ("alexnet", "params/dense1/kernel", "classifier.4.weight"),
        ("resnest152", "params/stem1/norm/scale", "conv1.4.weight"),
        ("resnest152", "params/stem2/norm/scale", "bn1.weight"),
        (
            "resnest152",
            "batch_stats/stage2_block35/second/squeeze/norm/var",
            "layer3.35.conv2.bn1.running_var",
        ),
        (
            "resnest152",
            "params/stage0_block0/shortcut/conv/kernel",
            "layer1.0.downsample.1.weight",
        ),
        (
            "convnext_tiny",
            "params/stage1_block0/mlp/fc1/kernel",
            "stages.1.blocks.0.mlp.fc1.weight",
        ),
        ("convnext_tiny", "params/head/bias", "head.fc.bias"),
        ("vit_small", "params/embed/class/cls_token", "cls_token"),
        (
            "swin_tiny",
            "params/stage1_block1/bias/relative_position_bias_table",
            "layers.1.blocks.1.attn.relative_position_bias_table",
        ),
        (
            "xcit_small_12_p4",
            "params/block3/attn/temperature",
            "blocks.3.attn.temperature",
        ),
        (
            "xcit_small_12_p4",
            "batch_stats/block3/local/norm/var",
            "blocks.3.local_mp.bn.running_var",
        ),
        ("dncnn", "params/layer1/norm/bias", "dncnn.6.bias"),
        ("dncnn", "params/last/kernel", "dncnn.47.weight"),
    ],
)
def test_names_are_those_of_the_reference(architecture, path, name):
    assert name_of(architecture, tuple(path.split("/"))) == name


def test_older_names_give_way_to_those_of_now():
    family = family_of("densenet121")
    old = {"a.denselayer1.norm.2.bias": 1, "features.conv0.weight": 2}
    modern = {"a.denselayer1.norm2.bias": 1, "features.conv0.weight": 2}
    assert family.canonical(old) == modern
    assert family_of("resnet20").canonical(old) == old


def test_a_tensor_under_both_names_is_not_lost():
    both = {"denselayer1.conv.1.weight": 1, "denselayer1.conv1.weight": 2}
    assert family_of("densenet121").canonical(both) == both


def test_layouts_are_those_of_the_family():
    family = family_of("vgg16_bn")
    assert layout_of(family, ("params", "dense0", "kernel")) is FLATTENED
    assert layout_of(family, ("params", "dense1", "kernel")) is TRANSPOSED
    assert layout_of(family, ("params", "dense0", "bias")) is AS_IT_IS
