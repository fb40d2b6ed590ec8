"""Networks of which one model is published, converted: values, gradients, names."""

import re

import jax
import pytest

from mspd_jax import models
from mspd_jax.errors import InputError
from mspd_jax.models._architectures import family_of
from mspd_jax.models._initialize import variable_shapes
from mspd_jax.models.conversion._names import layout_of, torch_name

try:
    import torch

    from tests.models.conversion import torch_packages
    from tests.models.conversion.torch_parity import (
        check_parity,
        check_training,
        converted,
        randomized,
    )
except ImportError:
    torch = None

pytestmark = [
    pytest.mark.compiling,
    pytest.mark.skipif(torch is None, reason="parity needs the extra mspd_jax[torch]"),
]


def resnest(blocks, width):
    """RobustBench's, with fewer blocks and channels."""
    module = torch_packages.robustbench("resnest")

    class Narrow(module.ResNest):
        def _make_layer(self, block, planes, *args, **form):
            return super()._make_layer(block, planes * width // 64, *args, **form)

    form = dict(radix=4, deep_stem=True, avg_down=True, avd=True, swish=True)
    network = Narrow(module.Bottleneck, blocks, stem_width=width, **form)
    network.fc = torch.nn.Linear(32 * width, 5)
    return network


def alexnet(width, hidden):
    """torchvision's, with fewer channels; ours has no dropout."""
    network = torch_packages.torchvision_models().AlexNet(num_classes=5, dropout=0.0)

    def narrow(layer):
        inputs = layer.in_channels if layer.in_channels == 3 else None
        return torch.nn.Conv2d(
            inputs or layer.in_channels * width // 64,
            layer.out_channels * width // 64,
            layer.kernel_size,
            layer.stride,
            layer.padding,
        )

    for index, layer in enumerate(network.features):
        if isinstance(layer, torch.nn.Conv2d):
            network.features[index] = narrow(layer)
    network.classifier[1] = torch.nn.Linear(4 * width * 36, hidden)
    network.classifier[4] = torch.nn.Linear(hidden, hidden)
    network.classifier[6] = torch.nn.Linear(hidden, 5)
    return network


def ra_wrn(blocks, widths):
    """RobustBench's RaWRN-101-2, with fewer blocks and channels."""
    module = torch_packages.robustbench("robustarch_wide_resnet")
    norm, silu = torch.nn.BatchNorm2d, torch.nn.SiLU
    return module.NormalizedConfigurableModel(
        mean=module.IMAGENET_MEAN,
        std=module.IMAGENET_STD,
        stage_widths=widths,
        kernel=3,
        strides=[2] * 4,
        dilation=1,
        norm_layer=[torch.nn.Identity, norm, norm],
        activation_layer=[silu] * 3,
        group_widths=[width // 8 for width in widths],
        bottleneck_multipliers=[0.25] * 4,
        downsample_norm=norm,
        depths=blocks,
        dense_ratio=None,
        stem_type=module.Stem,
        stem_width=96,
        stem_kernel=7,
        stem_downsample_factor=2,
        stem_patch_size=None,
        se_ratio=0.25,
        se_activation=torch.nn.ReLU,
        num_classes=5,
    )


def boosting(depth, width):
    """RobustBench's Wide ResNet with cosines for logits."""
    module = torch_packages.robustbench("boosting_wide_resnet")
    network = module.BoostingWideResNet(depth, width)
    network.fc = torch.nn.Linear(64 * width, 5, bias=False)
    return network


def check(make, name, size, expected, *, normalizes=False):
    """Parity, and the options found in the file."""
    twin = randomized(make)
    model = converted(twin, name)
    assert model.spec.options == expected
    assert model.spec.num_classes == 5
    check_parity(twin, model, size, normalizes=normalizes)


@pytest.mark.parametrize(
    ("blocks", "width", "size"),
    # The second one has more channels than the least that the attention comes from, in
    # all stages but the first.
    [([2, 1, 2, 1], 8, (19, 26)), ([1, 1, 1, 1], 32, (16, 16))],
)
def test_resnest(blocks, width, size):
    options = {"width": width, "blocks": blocks}
    check(lambda: resnest(**options), "resnest152", size, options)


# A map of 1x1 places and one of 6x6, of 1x9 and of 8x7.
@pytest.mark.parametrize("size", [(63, 64), (223, 224), (70, 320), (300, 256)])
def test_alexnet(size):
    options = {"width": 8, "hidden": 24}
    check(lambda: alexnet(**options), "alexnet", size, options)


@pytest.mark.parametrize("size", [(64, 64), (47, 70)])
def test_ra_wrn(size):
    options = {"blocks": [2, 1, 1, 2], "widths": [16, 24, 40, 48]}
    check(lambda: ra_wrn(**options), "ra_wrn101_2", size, options, normalizes=True)


def test_cosines():
    name, twin = "plain_wide_resnet10_2", randomized(lambda: boosting(10, 2))
    model = converted(twin, name, options={"cosine": True})
    assert model.spec.num_classes == 5
    check_parity(twin, model, (32, 32), normalizes=True)
    # No file without a bias is taken for one of cosines, unless it is said.
    with pytest.raises(InputError, match="missing: fc.bias$"):
        converted(twin, name)


def test_layers_that_a_file_repeats_are_left_out():
    """As the authors of Andriushchenko2020Understanding have them in their network."""
    module = torch_packages.robustbench("resnet")
    twin = module.PreActResNet(module.PreActBlock, [2, 2, 2, 2], num_classes=5)
    plain = converted(twin, "plain_preact_resnet18")
    repeated = [torch.nn.Identity(), twin.conv1, twin.layer1[0].bn1]
    twin.model_preact_hl1 = torch.nn.Sequential(*repeated)
    assert "model_preact_hl1.1.weight" in twin.state_dict()
    model = converted(twin, "plain_preact_resnet18")
    same = jax.tree.map(lambda a, b: (a == b).all(), model.variables, plain.variables)
    assert all(jax.tree.leaves(same))


def test_a_normalization_in_the_file_is_taken():
    twin = ra_wrn([1, 1, 1, 1], [16, 24, 40, 48])
    twin.normalization.mean += 0.125
    spec = converted(twin, "ra_wrn101_2").spec
    assert spec.mean == pytest.approx((0.61, 0.581, 0.531))
    assert spec.std == pytest.approx((0.229, 0.224, 0.225))


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("resnest50", lambda: resnest([1, 1, 1, 1], 8)),
        ("ra_wrn101_2", lambda: ra_wrn([1, 1, 1, 1], [16, 24, 40, 48])),
    ],
)
def test_training_mode(name, make):
    twin = randomized(make)
    if name == "ra_wrn101_2":  # which normalizes
        twin.normalization.mean *= 0
        twin.normalization.std.fill_(1)
    check_training(twin, name, converted(twin, name), (13, 16))


def _of_robustbench(file, name, *args):
    return lambda: getattr(torch_packages.robustbench(file), name)(*args)


# By identifier.
WHOLE = {
    "Pang2020Boosting": _of_robustbench("boosting_wide_resnet", "BoostingWideResNet"),
    "Sehwag2021Proxy_ResNest152": _of_robustbench("resnest", "ResNest152"),
    "AlexNet": lambda: torch_packages.torchvision_models().alexnet(),
    "imagenet/Linf/Peng2023Robust": _of_robustbench(
        "robustarch_wide_resnet", "get_model", "ra_wrn101_2"
    ),
}


@pytest.mark.parametrize("identifier", WHOLE)
def test_published_ones_have_the_tensors_of_their_definition(identifier):
    row = models.find_published(identifier)
    with torch.device("meta"):
        twin = WHOLE[identifier]()
    family = family_of(row.architecture)
    buffers = r"(.*\.)?(num_batches_tracked|mu|sigma|mean|std)"
    others = re.compile(f"{buffers}|{family.unused}")
    expected = {
        name: tuple(tensor.shape)
        for name, tensor in twin.state_dict().items()
        if not others.fullmatch(name)
    }
    shape = (row.image_size, row.image_size, 3)
    made = models.ModelSpec(
        row.architecture, row.options, row.mean, row.std, row.num_classes, shape, {}
    )
    shapes = variable_shapes(models.build_module(made), shape)
    leaves, _ = jax.tree_util.tree_flatten_with_path(shapes)
    found = {}
    for keys, leaf in leaves:
        path = tuple(key.key for key in keys)
        name = torch_name(family, made.options, path)
        found[name] = layout_of(family, path).shape(leaf.shape)
    assert found == expected


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("resnest152", "layer1.0.conv1.weight"),
        ("alexnet", "features.0.weight"),
        ("ra_wrn101_2", "stages.stage1.stage1-block0.F.c.0.weight"),
    ],
)
def test_a_file_of_another_network_is_refused_in_one_line(name, missing):
    with pytest.raises(InputError, match=f"is no {name}: missing: {missing}$"):
        converted(torch.nn.Linear(3, 4), name)
