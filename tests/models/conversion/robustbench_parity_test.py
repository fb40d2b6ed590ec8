"""Networks of robust models against the definitions that RobustBench publishes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mspd_jax import models
from mspd_jax.errors import InputError
from tests.models.conversion.torch_packages import robustbench, torchvision_models

try:
    import torch

    from tests.models.conversion import torch_twins
except ImportError:
    torch = torch_twins = None

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


def _twin(make):
    torch.manual_seed(0)
    return torch_twins.randomize(make(), seed=2)


def _convert(folder, twin, name, options):
    torch.save({"state_dict": twin.state_dict()}, folder / "twin.pt")
    return models.convert_torch(folder / "twin.pt", architecture=name, options=options)


def _normalized(twin, spec, x):
    """What a twin without a normalization of its own reads."""
    if hasattr(twin, "mean"):
        return x
    mean, std = (torch.tensor(m).view(3, 1, 1) for m in (spec.mean, spec.std))
    return (x - mean) / std


def _assert_close(actual, expected):
    """Within 1e-4 of the largest value: float32, summed in another order."""
    scale = np.abs(expected).max()
    assert scale > 0
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-4 * scale)


@pytest.mark.parametrize("network", NETWORKS)
def test_logits_and_gradients_equal_the_published_ones(tmp_path, network):
    name, options, make = NETWORKS[network]
    twin = _twin(make)
    model = _convert(tmp_path, twin, name, options)
    images = np.random.default_rng(1).random((2, 32, 32, 3), np.float32)
    x = torch.tensor(images).permute(0, 3, 1, 2).requires_grad_()
    expected = twin(_normalized(twin, model.spec, x))
    expected.square().sum().backward()

    @jax.jit
    def compute(predict, images):
        logits, pull = jax.vjp(jax.vmap(predict), images)
        return logits, pull(2 * logits)[0]

    logits, gradient = compute(models.predictor(model), jnp.asarray(images))
    _assert_close(logits, expected.detach().numpy())
    _assert_close(gradient, x.grad.permute(0, 2, 3, 1).numpy())


def test_the_two_wide_resnets_are_not_taken_for_each_other(tmp_path):
    """Their tensors have the same shapes, and the logits would be others."""
    twin = _twin(_plain_wide)
    with pytest.raises(InputError, match="no classifier logits.weight"):
        _convert(tmp_path, twin, "wide_resnet10_2", {})
