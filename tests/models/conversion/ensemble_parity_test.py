"""RobustBench's models of several files, and their members, by its own definitions."""

import ast
import functools
import importlib.util
import pathlib

import pytest

from mspd_jax import models
from tests.models.conversion.torch_packages import robustbench

try:
    import torch

    from tests.models.conversion import torch_parity, torch_twins
except ImportError:
    torch = torch_parity = torch_twins = None

pytestmark = [
    pytest.mark.compiling,
    pytest.mark.skipif(torch is None, reason="parity needs the extra mspd_jax[torch]"),
]

SIZE = (32, 32)
_SMALL = {"num_blocks": [1, 1, 1, 1], "widen_factor": 0}


def _defined(dataset, name, **names):
    """A class of RobustBench's table of models, which is no module to import alone.

    names: what its source finds under which name, such as smaller networks.
    """
    folder = pathlib.Path(importlib.util.find_spec("robustbench").origin).parent
    path = folder / "model_zoo" / f"{dataset}.py"
    kept = [
        node
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ClassDef) and node.name == name
    ]
    space = {"torch": torch, "nn": torch.nn} | names
    exec(compile(ast.Module(kept, []), str(path), "exec"), space)
    return space[name]


def _of_bottlenecks(dataset):
    """With one block in each stage."""
    module = robustbench("resnet")

    def small(block, blocks):
        assert blocks == [3, 4, 6, 3]
        return module.ResNet(block, [1, 1, 1, 1])

    name = "BottleneckChen2020AdversarialNet"
    blocks = {name: getattr(module, name), "ResNet": small}
    return _defined(dataset, "Chen2020AdversarialNet", **blocks)()


def _of_tickets(dataset):
    """An eighth as wide."""
    network = robustbench("CARD_resnet").LRR_ResNet
    return _defined(dataset, "Diffenderfer2021CARD_Deck", LRR_ResNet=network)(width=16)


def _of_binary_tickets(dataset):
    """With one block in each stage, the later ones a third as wide."""
    network = robustbench("CARD_resnet").WidePreActResNet
    small = functools.partial(network, **_SMALL)
    name = "Diffenderfer2021CARD_Deck_Binary"
    return _defined(dataset, name, WidePreActResNet=small)()


def _binary(dataset):
    """As published, and so large."""
    network = robustbench("CARD_resnet").WidePreActResNet
    name = "Diffenderfer2021CARD_Binary"
    return _defined(dataset, name, WidePreActResNet=network)()


ENSEMBLES = {
    "cifar10/Linf/Chen2020Adversarial": _of_bottlenecks,
    "cifar10/corruptions/Diffenderfer2021Winning_LRR_CARD_Deck": _of_tickets,
    "cifar100/corruptions/Diffenderfer2021Winning_LRR_CARD_Deck": _of_tickets,
    "cifar10/corruptions/Diffenderfer2021Winning_Binary_CARD_Deck": _of_binary_tickets,
    "cifar100/corruptions/Diffenderfer2021Winning_Binary_CARD_Deck": _of_binary_tickets,
}
BINARY = [
    "cifar10/corruptions/Diffenderfer2021Winning_Binary",
    "cifar100/corruptions/Diffenderfer2021Winning_Binary",
]


def _save(network, path, name):
    """As published: without the normalization, and with what chose the weights."""
    state = network.state_dict()
    state = {key: t for key, t in state.items() if key not in ("mu", "sigma")}
    if "Diffenderfer" in name:
        for kernel in [kernel for kernel, t in state.items() if t.ndim == 4]:
            state[kernel.removesuffix("weight") + "scores"] = torch.rand(())
    torch.save({"state_dict": state}, path)
    return path


class Log(torch.nn.Module if torch else object):
    """The logarithm of the probabilities that a network gives."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x):
        return self.network(x).log()


def _sure(name):
    """A random ensemble whose members are sure of themselves, and do not agree.

    Its seed is one with which rounding opens and closes no ReLU.
    """
    torch.manual_seed(1)
    network = torch_twins.randomize(ENSEMBLES[name](name.split("/")[0]), seed=3)
    with torch.no_grad():
        for member in network.models:
            head = member.linear if hasattr(member, "linear") else member.fc
            head.weight.mul_(30)
    return network


@pytest.mark.parametrize("name", ENSEMBLES)
def test_logits_are_the_log_of_the_mean_probabilities(tmp_path, name):
    twin = _sure(name)
    files = [
        _save(member, tmp_path / f"{number}.pt", name)
        for number, member in enumerate(twin.models)
    ]
    model = models.convert_published(files, name)
    assert model.spec.architecture.startswith(f"ensemble{len(twin.models)}_")
    torch_parity.check_parity(Log(twin), model, SIZE, normalizes=True)


@pytest.mark.parametrize("name", BINARY)
def test_a_network_of_a_binary_ticket(tmp_path, name):
    twin = torch_parity.randomized(lambda: _binary(name.split("/")[0]))
    model = models.convert_published(_save(twin, tmp_path / "card.pt", name), name)
    torch_parity.check_parity(twin, model, SIZE, normalizes=True)


def test_the_published_network_of_bottlenecks():
    module = robustbench("resnet")
    block = module.BottleneckChen2020AdversarialNet
    twin = torch_parity.randomized(lambda: module.ResNet(block, [3, 4, 6, 3]))
    model = torch_parity.converted(twin, "preact_bottleneck_resnet50")
    assert model.spec.options == models.parse_architecture(model.spec.architecture)[1]
    torch_parity.check_parity(twin, model, SIZE)


def test_a_network_of_bottlenecks_in_training():
    module = robustbench("resnet")
    block, name = module.BottleneckChen2020AdversarialNet, "preact_bottleneck_resnet50"
    twin = torch_parity.randomized(lambda: module.ResNet(block, [1, 1, 1, 1]))
    model = torch_parity.converted(twin, name)
    torch_parity.check_training(twin, name, model, SIZE)


def test_a_binary_network_in_training():
    network, name = (
        robustbench("CARD_resnet").WidePreActResNet,
        "binary_preact_resnet18",
    )
    twin = torch_parity.randomized(lambda: network(**_SMALL))
    model = torch_parity.converted(twin, name)
    torch_parity.check_training(twin, name, model, SIZE)
