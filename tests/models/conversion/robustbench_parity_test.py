"""Networks of robust models against the definitions that RobustBench publishes."""

import pytest

from mspd_jax.errors import InputError
from tests.models.conversion.torch_packages import robustbench, torchvision_models

try:
    import torch

    from tests.models.conversion.torch_parity import (
        check_parity,
        converted,
        randomized,
    )
except ImportError:
    torch = None

pytestmark = [
    pytest.mark.compiling,
    pytest.mark.skipif(torch is None, reason="parity needs the extra mspd_jax[torch]"),
]


def _plain_wide():
    module = robustbench("wide_resnet")
    # What many checkpoints hold and nothing computes with is there, too.
    return module.WideResNet(10, num_classes=7, widen_factor=2, sub_block1=True)


def _wide():
    module = robustbench("dm_wide_resnet")
    return module.DMWideResNet(7, 10, 2, activation_fn=torch.nn.SiLU)


def _preact():
    module = robustbench("dm_wide_resnet")
    return module.DMPreActResNet(7, 18, 0, activation_fn=torch.nn.SiLU)


def _plain_preact(block, **form):
    module = robustbench("resnet")
    sizes = {"num_blocks": [2, 2, 2, 2], "num_classes": 7}
    return module.PreActResNet(getattr(module, block), **sizes, **form)


def _cifar(block, blocks):
    module = robustbench("resnet")
    return module.ResNet(getattr(module, block), blocks, num_classes=7)


def _standardized():
    """As the models of MMA training, of which each image is standardized."""
    network = _plain_wide()
    inner = network.forward

    def forward(x):
        axes, least = (1, 2, 3), x[0].numel() ** -0.5
        std = x.std(dim=axes, keepdim=True).clamp(min=least)
        return inner((x - x.mean(dim=axes, keepdim=True)) / std)

    network.forward = forward
    return network


def _lottery_ticket():
    return robustbench("CARD_resnet").LRR_ResNet(num_classes=7, width=16)


def _wide_of_imagenet():
    return torchvision_models().wide_resnet50_2(num_classes=7)


NETWORKS = {
    "standardized": ("plain_wide_resnet10_2", {"standardize": True}, _standardized),
    "lottery ticket": ("lrr_resnet18", {}, _lottery_ticket),
    "wide of ImageNet": ("wide_resnet50_2", {}, _wide_of_imagenet),
    "plain_wide": ("plain_wide_resnet10_2", {}, _plain_wide),
    "wide": ("wide_resnet10_2", {}, _wide),
    "preact": ("preact_resnet18", {}, _preact),
    "preact of the raw": (
        "plain_preact_resnet18",
        {},
        lambda: _plain_preact("PreActBlock"),
    ),
    "preact of the activated": (
        "plain_preact_resnet18",
        {"shortcut": "activated"},
        lambda: _plain_preact("PreActBlockV2", bn_before_fc=True),
    ),
    "resnet18": ("cifar_resnet18", {}, lambda: _cifar("BasicBlock", [2, 2, 2, 2])),
    "resnet50": ("cifar_resnet50", {}, lambda: _cifar("Bottleneck", [3, 4, 6, 3])),
}


@pytest.mark.parametrize("network", NETWORKS)
def test_logits_and_gradients_equal_the_published_ones(network):
    name, options, make = NETWORKS[network]
    twin = randomized(make)
    model = converted(twin, name, options=options)
    check_parity(twin, model, (32, 32), normalizes=hasattr(twin, "mean"))


def test_the_two_wide_resnets_are_not_taken_for_each_other():
    """Their tensors have the same shapes, and the logits would be others."""
    with pytest.raises(InputError, match="no classifier logits.weight"):
        converted(randomized(_plain_wide), "wide_resnet10_2")
