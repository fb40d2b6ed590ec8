"""Networks as other packages define them, converted: values, gradients, names."""

import jax
import pytest

from mspd_jax.errors import InputError

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


def vgg(plan, *, norm, width=8, hidden=24, places=7):
    """torchvision's, with fewer channels (`plan`: of its own table)."""
    module = torch_packages.torchvision_models().vgg
    widths = [v if v == "M" else v * width // 64 for v in module.cfgs[plan]]
    # Ours has no dropout.
    layers = module.make_layers(widths, norm)
    network = module.VGG(layers, num_classes=1, dropout=0.0)
    network.avgpool = torch.nn.AdaptiveAvgPool2d((places, places))
    inputs = 8 * width * places**2
    network.classifier[0] = torch.nn.Linear(inputs, hidden)
    network.classifier[3] = torch.nn.Linear(hidden, hidden)
    network.classifier[6] = torch.nn.Linear(hidden, 5)
    return network


def densenet(blocks, **options):
    module = torch_packages.torchvision_models().densenet
    return module.DenseNet(block_config=blocks, num_classes=5, **options)


def efficientnet(name):
    return getattr(torch_packages.torchvision_models(), name)(num_classes=5)


def lite():
    return torch_packages.timm().create_model("efficientnet_lite0", num_classes=5)


def resnext(depth=29, groups=4, width=32):
    module = torch_packages.robustbench("resnext")
    return module.CifarResNeXt(module.ResNeXtBottleneck, depth, groups, width, 5)


def robust_wide(blocks, widths):
    module = torch_packages.robustbench("robust_wide_resnet")
    return module.RobustWideResNet(5, [16, *widths], blocks)


def wrn_a4(blocks, widths):
    module = torch_packages.robustbench("robust_resnet")
    return module.PreActResNet(
        5, [16, *widths], blocks, activations=["SiLU"] * 3, pre_process=True
    )


def ra_wrn(blocks, widths):
    module = torch_packages.robustbench("robustarch_wide_resnet")
    return module.NormalizedWideResNet(
        *(module.CIFAR10_MEAN, module.CIFAR10_STD),
        stem_width=96,
        depth=blocks,
        stage_width=widths,
        groups=[1, 1, 1],
        activation_fn=torch.nn.SiLU,
        se_ratio=0.25,
        se_activation=torch.nn.ReLU,
        se_order=2,
        num_classes=5,
    )


def check(make, name, size, expected, *, normalizes=False):
    """Parity, the options found in the file, and a name for every tensor."""
    twin = randomized(make)
    model = converted(twin, name)
    assert model.spec.options == expected
    assert model.spec.num_classes == 5
    check_parity(twin, model, size, normalizes=normalizes)


@pytest.mark.parametrize(
    ("plan", "name", "size", "places"),
    [
        ("A", "vgg11_bn", (64, 100), 7),  # a map of 2x3 places, fewer than there are
        ("A", "vgg11", (256, 320), 7),  # 8x10, more
        ("E", "vgg19_bn", (32, 32), 1),  # as for CIFAR
        ("B", "vgg13_bn", (32, 32), 7),
        ("D", "vgg16_bn", (64, 64), 2),
    ],
)
def test_vgg(plan, name, size, places):
    options = dict(width=8, hidden=24, places=places)
    norm = name.endswith("bn")
    check(lambda: vgg(plan, norm=norm, **options), name, size, options)


def test_densenet():
    options = dict(width=8, growth=4)
    make = {"num_init_features": 8, "growth_rate": 4}
    check(lambda: densenet((6, 12, 24, 16), **make), "densenet121", (72, 64), options)


def test_densenet_in_the_spelling_of_published_files():
    twin = densenet((6, 12, 36, 24), num_init_features=8, growth_rate=4)
    new = converted(twin, "densenet161")

    def old(name):
        for kind in ("norm", "conv"):
            for number in "12":
                name = name.replace(f".{kind}{number}.", f".{kind}.{number}.")
        return name

    model = converted(twin, "densenet161", spell=old)
    same = jax.tree.map(lambda a, b: (a == b).all(), model.variables, new.variables)
    assert all(jax.tree.leaves(same))
    assert model.spec.options == dict(width=8, growth=4)


@pytest.mark.parametrize("name", ["efficientnet_b0", "efficientnet_b2"])
def test_efficientnet(name):
    check(lambda: efficientnet(name), name, (64, 64), {})


def test_efficientnet_lite():
    check(lite, "efficientnet_lite0", (64, 80), {})


def test_efficientnets_are_told_from_each_other():
    twin = efficientnet("efficientnet_b1")
    with pytest.raises(InputError, match="surplus: features.1.1.block.0.0.weight"):
        converted(twin, "efficientnet_b0")
    model = converted(twin, "efficientnet_b1")
    assert model.spec.image_shape == (240, 240, 3)


def test_resnext():
    check(resnext, "resnext29_4x32d", (32, 32), {})


def test_robust_wide_resnet():
    options = dict(blocks=[2, 1, 2], widths=[24, 40, 32])
    expected = options | {"activation": "relu"}
    make = lambda: robust_wide(**options)  # noqa: E731
    check(make, "robust_wide_resnet", (32, 32), expected)


def test_wrn_a4():
    options = dict(blocks=[1, 2, 1], widths=[24, 40, 32])
    expected = options | {"activation": "silu"}
    check(lambda: wrn_a4(**options), "wrn_a4", (32, 32), expected, normalizes=True)


def test_ra_wrn():
    options = dict(blocks=[2, 1, 1], widths=[24, 40, 56])
    expected = options | {"activation": "silu", "sparse": False}
    check(lambda: ra_wrn(**options), "ra_wrn70_16", (32, 32), expected, normalizes=True)


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("vgg11_bn", lambda: vgg("A", norm=True, places=1)),
        ("densenet121", lambda: densenet((6, 12, 24, 16), growth_rate=4)),
        ("ra_wrn70_16", lambda: ra_wrn([1, 1, 1], [24, 40, 56])),
        ("robust_wide_resnet", lambda: robust_wide([1, 1, 1], [24, 40, 56])),
    ],
)
def test_training_mode(name, make):
    twin = randomized(make)
    model = converted(twin, name)
    if name == "ra_wrn70_16":  # which normalizes
        model = model._replace(
            spec=model.spec._replace(mean=(0.0,) * 3, std=(1.0,) * 3)
        )
        twin.mean, twin.std = torch.zeros(3, 1, 1), torch.ones(3, 1, 1)
    check_training(twin, name, model, (32, 32))


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("vgg11_bn", "features.0.weight or classifier.0.weight"),
        ("densenet121", "features.conv0.weight"),
        ("wrn_a4", "blocks.0.layer.0.conv1.weight"),
        ("ra_wrn70_16", "layer.0.block.0.conv_0.weight"),
    ],
)
def test_a_file_of_another_network_is_refused_in_one_line(name, missing):
    with pytest.raises(InputError, match=f"is no {name}: missing: {missing}$"):
        converted(torch.nn.Linear(3, 4), name)
