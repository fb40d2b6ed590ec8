"""Training steps of a CIFAR ResNet in PyTorch, as its users write them."""

import torch
from torch.nn import functional

from benchmarks._pytorch import Way
from benchmarks._reference_attacks import TorchResNet
from mspd_jax.models import Model

_EPS = 8 / 255


def step(way: Way, model: Model, images, labels, *, attack_steps):
    """A function that takes one step of training on the batch.

    images: float32 [B, H, W, C], as augmented; labels: int [B]. attack_steps: of PGD on
    the network in evaluation mode, none for plain training.
    """
    network = TorchResNet(model)
    predict = way.network(network)
    ((x, y),) = way.batches(images, labels)
    y = y.long()
    optimizer = torch.optim.SGD(
        network.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4, nesterov=True
    )

    def program():
        network.eval()
        attacked = _attacked(predict, x, y, attack_steps) if attack_steps else x
        network.train()
        optimizer.zero_grad(set_to_none=True)
        functional.cross_entropy(predict(attacked), y).backward()
        optimizer.step()

    return program


def _attacked(predict, x, y, steps):
    point = (x + torch.empty_like(x).uniform_(-_EPS, _EPS)).clamp(0, 1)
    for _ in range(steps):
        point.requires_grad_(True)
        loss = functional.cross_entropy(predict(point), y)
        gradient = torch.autograd.grad(loss, point)[0]
        point = point.detach() + 0.75 * _EPS * gradient.sign()
        point = torch.min(torch.max(point, x - _EPS), x + _EPS).clamp(0, 1)
    return point.detach()
