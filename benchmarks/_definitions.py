"""Networks of published models in PyTorch, of the published sizes, by our names."""

from collections.abc import Callable

import torch
from torch import nn

from tests.models.conversion import (
    torch_packages,
    torch_twins,
    torch_twins_imagenet,
)

_robustbench = torch_packages.robustbench


class Normalized(nn.Module):
    """Images are normalized in front of a network that does not do it."""

    def __init__(self, network: nn.Module, mean, std):
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(-1, 1, 1))

    def forward(self, x):
        return self.network((x - self.mean) / self.std)


def _of_deepmind(name, *sizes):
    module = _robustbench("dm_wide_resnet")
    return getattr(module, name)(10, *sizes, activation_fn=nn.SiLU)


def _of_kuangliu(name, block, *blocks):
    module = _robustbench("resnet")
    return getattr(module, name)(getattr(module, block), list(blocks), num_classes=10)


def _resnext():
    module = _robustbench("resnext")
    return module.CifarResNeXt(module.ResNeXtBottleneck, 29, 4, 32, 10)


def _robust_wide():
    module = _robustbench("robust_wide_resnet")
    return module.RobustWideResNet(10, [16, 320, 640, 512], [5, 5, 5])


def _searched(blocks, widths):
    module = _robustbench("robust_resnet")
    return module.PreActResNet(
        *(10, [16, *widths], blocks), activations=["SiLU"] * 3, pre_process=True
    )


def _resnest():
    module = _robustbench("resnest")
    form = {"radix": 4, "deep_stem": True, "avg_down": True, "avd": True}
    return module.ResNest(module.Bottleneck, [3, 4, 6, 3], **form, swish=True)


def _gated():
    return _robustbench("robustarch_wide_resnet").get_model("ra_wrn70_16")


def _patches_of_4():
    module = _robustbench("xcit")
    network = _of_timm("xcit_small_12_p16_224", num_classes=10)
    return module.adapt_model_patches(network, 4)


def _convolutional_stem(name):
    return _robustbench("convstem_models").get_convstem_models(name)


def _bagnet():
    return torch_twins_imagenet.BagNet(
        (1, 1, 1, 0), 64, (3, 4, 6, 3), (2, 2, 2, 1), 1000
    )


def _of_torchvision(name):
    return torch_packages.torchvision_models().get_model(name, weights=None)


def _of_timm(name, **options):
    return torch_packages.timm().create_model(name, **options)


_CIFAR = {
    "resnet20": lambda: torch_twins.ResNet(20, 10),
    "preact_resnet18": lambda: _of_deepmind("DMPreActResNet", 18, 0),
    "plain_preact_resnet18": lambda: _of_kuangliu(
        "PreActResNet", "PreActBlock", 2, 2, 2, 2
    ),
    "wide_resnet28_10": lambda: _of_deepmind("DMWideResNet", 28, 10),
    "plain_wide_resnet28_10": lambda: _robustbench("wide_resnet").WideResNet(),
    "plain_wide_resnet34_10": lambda: _robustbench("wide_resnet").WideResNet(34),
    "wide_resnet70_16": lambda: _of_deepmind("DMWideResNet", 70, 16),
    "resnext29_4x32d": _resnext,
    "cifar_resnet18": lambda: _of_kuangliu("ResNet", "BasicBlock", 2, 2, 2, 2),
    "cifar_resnet50": lambda: _of_kuangliu("ResNet", "Bottleneck", 3, 4, 6, 3),
    "lrr_resnet18": lambda: _robustbench("CARD_resnet").LRR_ResNet(width=128),
    "robust_wide_resnet": _robust_wide,
    "wrn_a4": lambda: _searched([27, 28, 13], [160, 448, 384]),
    "ra_wrn70_16": _gated,
    "resnest50": _resnest,
    "xcit_small_12_p4": _patches_of_4,
}
_IMAGENET = {
    **{
        name: lambda name=name: _of_torchvision(name)
        for name in (
            "resnet50",
            "wide_resnet50_2",
            "alexnet",
            "vgg19_bn",
            "densenet121",
            "efficientnet_b0",
        )
    },
    "efficientnet_lite0": lambda: _of_timm("efficientnet_lite0"),
    "bagnet17": _bagnet,
    "convnext_tiny": lambda: _of_timm("convnext_tiny"),
    "convnext_tiny_convstem": lambda: _convolutional_stem("convnext_t_cvst"),
    "vit_small": lambda: _of_timm("vit_small_patch16_224"),
    "vit_small_convstem": lambda: _convolutional_stem("vit_s_cvst"),
    "deit_small": lambda: _of_timm("deit_small_patch16_224"),
    "swin_tiny": lambda: _of_timm("swin_tiny_patch4_window7_224"),
    "xcit_small_12_p16": lambda: _of_timm("xcit_small_12_p16_224"),
}
# By the name of the architecture: what makes it, and the side of its images.
DEFINITIONS: dict[str, tuple[Callable[[], nn.Module], int]] = {
    name: (make, side)
    for side, makers in ((32, _CIFAR), (224, _IMAGENET))
    for name, make in makers.items()
}
