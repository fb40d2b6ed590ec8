"""A Wide ResNet with PSSiLU against the definition that RobustBench publishes."""

import pytest

from tests.models.conversion.torch_packages import robustbench

try:
    import torch

    from tests.models.conversion import torch_parity
except ImportError:
    torch = torch_parity = None

pytestmark = [
    pytest.mark.compiling,
    pytest.mark.skipif(torch is None, reason="parity needs the extra mspd_jax[torch]"),
]


def test_logits_gradients_and_training():
    module, name = robustbench("paf_wide_resnet"), "plain_wide_resnet10_2"
    activation = module.PSSiLU()
    twin = torch_parity.randomized(
        lambda: module.PAF_WideResNet(activation, 10, 7, widen_factor=2)
    )
    with torch.no_grad():
        activation.alpha.fill_(-1.4)
        activation.beta.fill_(0.15)
    assert "block1.layer.0.activation.alpha" in twin.state_dict()
    model = torch_parity.converted(twin, name)
    assert model.spec.options == {
        "activation": "pssilu",
        "standardize": False,
        "cosine": False,
    }
    torch_parity.check_training(twin, name, model, (32, 32))  # moves its statistics
    twin, model = twin.eval(), torch_parity.converted(twin, name)
    torch_parity.check_parity(twin, model, (32, 32))
