"""Networks with MeanSparse against the definitions that RobustBench publishes.

Values are those of the published networks; gradients those of the same networks with
the gradient of the identity in the place of each MeanSparse's own.
"""

import numpy as np
import pytest

from mspd_jax import models
from mspd_jax.models.networks._mean_sparse import MeanSparse
from tests.models.conversion.torch_packages import robustbench, timm

try:
    import torch

    from tests.models.conversion import torch_parity, torch_transformers
except ImportError:
    torch = torch_parity = torch_transformers = None

pytestmark = [
    pytest.mark.compiling,
    pytest.mark.skipif(torch is None, reason="parity needs the extra mspd_jax[torch]"),
]

DIMS = {192: 8, 384: 12, 768: 16, 1536: 24}  # of ConvNeXt-L, and of a small one


def _wide(file, network):
    kind = getattr(robustbench(f"Meansparse_{file}"), network)
    return torch_parity.randomized(lambda: kind(7, 10, 2, activation_fn=torch.nn.SiLU))


def _gated():
    kind = robustbench("Meansparse_ra_wrn_70_16").NormalizedWideResNet
    sizes = {"stem_width": 96, "depth": [1, 2, 1], "stage_width": [8, 16, 24]}
    gates = {"se_ratio": 0.25, "se_activation": torch.nn.ReLU, "se_order": 2}
    return torch_parity.randomized(
        lambda: kind(
            (0.4914, 0.4822, 0.4465),
            (0.2471, 0.2435, 0.2616),
            groups=[1, 1, 1],
            activation_fn=torch.nn.SiLU,
            num_classes=7,
            **sizes,
            **gates,
        )
    )


def _convnext():
    timm()
    from timm.models.convnext import ConvNeXt

    published = robustbench("sparsified_model")
    network = ConvNeXt(depths=(1, 1, 2, 1), dims=[*DIMS.values()], num_classes=7)
    published.add_custom_layer_imagenet(
        network, lambda width: published.MeanSparse_imagenet(DIMS.get(width, width))
    )
    return torch_transformers.randomize(network)


def _swin():
    timm()
    kind = robustbench("Meansparse_swin_L").SwinTransformer
    shape = {"depths": (2, 2, 1, 1), "embed_dim": 12, "num_heads": (2, 3, 4, 6)}
    return torch_transformers.randomize(
        kind(img_size=96, window_size=3, num_classes=7, **shape)
    )


# Ours, the side of the images, whether it normalizes them itself, how many operators it
# has, and how it is made.
NETWORKS = {
    "70-16": (
        *("wide_resnet10_2", 32, True, 10),
        lambda: _wide("wrn_70_16", "DMWideResNet"),
    ),
    "94-16": (
        *("wide_resnet10_2", 32, True, 10),
        lambda: _wide("wrn_94_16", "MeanSparse_DMWideResNet"),
    ),
    "RaWRN": ("ra_wrn70_16", 32, True, 13, _gated),
    "ConvNeXt": ("convnext_large", 64, False, 10, _convnext),
    "Swin": ("swin_large", 96, False, 24, _swin),
}
OPERATORS = {
    "70-16": ("Meansparse_wrn_70_16", "MeanSparse"),
    "94-16": ("Meansparse_wrn_94_16", "MeanSparse"),
    "RaWRN": ("Meansparse_ra_wrn_70_16", "MeanSparse"),
    "ConvNeXt": ("sparsified_model", "MeanSparse_imagenet"),
    "Swin": ("Meansparse_swin_L", "MeanSparse"),
}


def _images(size):
    return np.random.default_rng(1).random((2, size, size, 3), np.float32)


def _operators(twin):
    return [module for module in twin.modules() if hasattr(module, "batch_num")]


def _measured(twin, x):
    """Logits without the operators, whose statistics are then those of these images.

    They are measured by the published code. The bias of the head then takes away what
    all images share, beside which the work of the operators would look small.
    """
    heads = [module for module in twin.modules() if isinstance(module, torch.nn.Linear)]
    for module in _operators(twin):
        for statistic in (module.running_mean, module.running_var, module.threshold):
            statistic.zero_()
        module.batch_num.fill_(1)
        module.flag_update_statistics.fill_(1)
    with torch.no_grad():
        plain = twin(x)
        heads[-1].bias.sub_(plain.mean(0))
    for module in _operators(twin):
        module.flag_update_statistics.fill_(0)
    hooks = [m.register_forward_pre_hook(_choose) for m in _operators(twin)]
    with torch.no_grad():
        twin.double()(x.double())
    for hook in hooks:
        hook.remove()
    return (plain - plain.mean(0)).numpy()


def _choose(operator, inputs):
    """Sets a threshold that no value is so close to that rounding could carry it over.

    Of those that float32 has exactly, so that the file says the same.
    """
    (x,), channels = inputs, len(operator.running_mean)
    if x.ndim == 4 and x.shape[1] == channels:
        x = x.movedim(1, -1)
    deviations = (x - operator.running_mean).abs() / operator.running_var.sqrt()
    gaps = {n / 64: (deviations - n / 64).abs().min().item() for n in range(13, 33)}
    threshold = max(gaps, key=gaps.__getitem__)
    assert gaps[threshold] > 1e-5
    operator.threshold.fill_(threshold)


def _run(twin, x):
    """Logits, and the gradient in the images of what parity takes it of."""
    x = x.clone().requires_grad_()
    logits = twin(x)
    logits.square().sum().backward()
    return logits.detach().numpy(), x.grad.numpy()


def _go_straight_through(twin):
    for module in _operators(twin):

        def forward(x, values=module.forward):
            return x + (values(x) - x).detach()

        module.forward = forward


@pytest.mark.parametrize("name", OPERATORS)
def test_values_of_the_operator_are_equal_bit_for_bit(name):
    file, kind = OPERATORS[name]
    rng = np.random.default_rng(2)
    x = rng.normal(size=(4, 5, 6, 3)).astype(np.float32)
    operator = getattr(robustbench(file), kind)(3)
    statistics = {
        "mean": rng.normal(size=3).astype(np.float32),
        "var": rng.uniform(0.5, 2, 3).astype(np.float32),
        "threshold": np.float32(0.4),
    }
    operator.running_mean.copy_(torch.tensor(statistics["mean"]))
    operator.running_var.copy_(torch.tensor(statistics["var"]))
    operator.threshold.fill_(0.4)
    if name == "Swin":  # which reads tokens
        expected = operator(torch.tensor(x).reshape(4, 30, 3)).reshape(x.shape).numpy()
    else:
        moved = operator(torch.tensor(x).permute(0, 3, 1, 2))
        expected = moved.permute(0, 2, 3, 1).numpy()
    assert 0.1 < (expected != x).mean() < 0.5
    ours = MeanSparse().apply({"batch_stats": statistics}, x)
    np.testing.assert_array_equal(ours, expected)


@pytest.mark.parametrize("network", NETWORKS)
def test_logits_and_straight_through_gradients(network):
    name, size, normalizes, count, make = NETWORKS[network]
    x = torch.tensor(_images(size)).permute(0, 3, 1, 2).contiguous()
    if not normalizes:
        mean, std = map(torch.tensor, models.default_normalization(name, 3))
        x = (x - mean.view(3, 1, 1)) / std.view(3, 1, 1)
    twin = make()
    plain = _measured(twin, x)
    assert len(_operators(twin)) == count
    model = torch_parity.converted(twin, name, image_shape=(size, size, 3))
    assert model.spec.options["sparse"] is True
    logits, hidden = _run(twin, x.double())
    _go_straight_through(twin)
    same, gradient = _run(twin, x.double())
    np.testing.assert_allclose(same, logits, rtol=0, atol=1e-9 * np.abs(logits).max())
    # What is compared depends on the operators, and on what their gradient is.
    assert np.abs(logits - plain).max() > 0.2 * np.abs(logits).max()
    assert np.abs(gradient - hidden).max() > 0.05 * np.abs(gradient).max()
    torch_parity.check_parity(twin, model, (size, size), normalizes=normalizes)
