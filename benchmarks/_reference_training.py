"""Training steps of a CIFAR ResNet in PyTorch, as its users write them."""

import torch
from torch.nn import functional

from benchmarks._reference_attacks import TorchResNet
from mspd_jax.models import Model

_EPS = 8 / 255


def step(model: Model, images, labels, *, attack_steps, channels_last, compiled):
    """A function that takes one step of training on the batch, warm after one call.

    images: float32 [B, H, W, C], as augmented; labels: int [B]. attack_steps: of PGD on
    the network in evaluation mode, none for plain training.
    """
    network = TorchResNet(model)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    network = network.to(memory_format=layout)
    x = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(memory_format=layout)
    y = torch.from_numpy(labels).long()
    optimizer = torch.optim.SGD(
        network.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4, nesterov=True
    )
    predict = torch.compile(network) if compiled else network

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
