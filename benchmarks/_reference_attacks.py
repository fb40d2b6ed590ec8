"""PGD, Auto-PGD and Square (linf) in eager PyTorch, and ResNet-20 with our weights.

Written from the papers, as one batch of images is usually attacked: in place where that
is easy, no synchronization but at the end, the gradient asked for the images alone, no
gradient recorded where none is needed. Every image goes through all steps. Importing
this module needs PyTorch.
"""

import functools
import math
from collections.abc import Callable

import jax
import numpy as np
import torch
from torch import nn
from torch.nn import functional

from benchmarks import _reference
from benchmarks._pytorch import Way
from mspd_jax.models import Model


class _Block(nn.Module):
    """relu(shortcut(x) + norm(conv(relu(norm(conv(x)))))); see `_resnet.py`."""

    def __init__(self, params, stats):
        super().__init__()
        layers = []
        for name in ("first", "second"):
            layers.append(_reference.conv(params[name]["conv"]))
            layers.append(_reference.norm(params[name]["norm"], stats[name]["norm"]))
        self.conv0, self.norm0, self.conv1, self.norm1 = layers
        missing = self.conv0.out_channels - self.conv0.in_channels
        self.stride = 2 if missing else 1
        self.conv0.stride = (self.stride, self.stride)
        self.sides = (0, 0, 0, 0, missing // 2, missing - missing // 2)

    def forward(self, x):
        y = torch.relu_(self.norm0(self.conv0(x)))
        y = self.norm1(self.conv1(y))
        if self.stride > 1:
            x = functional.pad(x[:, :, :: self.stride, :: self.stride], self.sides)
        return torch.relu_(y + x)


class TorchResNet(nn.Module):
    """Our CIFAR ResNet, weight for weight; NCHW images in [0, 1]."""

    def __init__(self, model: Model):
        super().__init__()
        params, stats = jax.tree.map(
            np.asarray, (model.variables["params"], model.variables["batch_stats"])
        )
        for name in ("mean", "std"):
            values = np.asarray(getattr(model.spec, name), np.float32)
            self.register_buffer(name, torch.from_numpy(values).view(-1, 1, 1))
        self.stem = _reference.conv(params["stem"]["conv"])
        self.norm = _reference.norm(params["stem"]["norm"], stats["stem"]["norm"])
        blocks = sorted(name for name in params if name.startswith("stage"))
        self.blocks = nn.Sequential(*(_Block(params[b], stats[b]) for b in blocks))
        self.head = nn.Linear(*params["head"]["kernel"].shape)
        self.head.load_state_dict(
            _reference.tensors(
                weight=params["head"]["kernel"].T, bias=params["head"]["bias"]
            )
        )

    def forward(self, x):
        x = torch.relu_(self.norm(self.stem((x - self.mean) / self.std)))
        return self.head(self.blocks(x).mean((2, 3)))


def networks(model: Model) -> Callable[[Way], Callable]:
    """For each way of using PyTorch, the network in that way, compiled once."""

    @functools.cache
    def network(way: Way) -> Callable:
        return way.network(TorchResNet(model).eval().requires_grad_(False))

    return network


def pgd(model, images, labels, *, eps, steps):
    """Signed steps of 2.5 eps / steps from a random point of the ball."""
    x = (images + torch.empty_like(images).uniform_(-eps, eps)).clamp_(0, 1)
    step_size = 2.5 * eps / steps
    for _ in range(steps):
        gradient = _reference.input_gradient(model, x, labels)
        x = _into_ball(x + step_size * gradient.sign_(), images, eps)
    with torch.no_grad():
        return x, model(x).argmax(1) != labels


def apgd(model, images, labels, *, eps, steps):
    """Auto-PGD on the cross-entropy (Croce and Hein 2020, Algorithm 1)."""
    checkpoints = _checkpoints(steps)
    noise = torch.empty_like(images).uniform_(-1, 1)
    noise /= noise.abs().amax((1, 2, 3), keepdim=True)
    x = (images + eps * noise).clamp_(0, 1)
    before, kept = x.clone(), images.clone()
    loss, gradient, wrong = _loss_and_gradient(model, x, labels)
    fooled = wrong.clone()
    kept[wrong] = x[wrong]
    best, best_loss, best_gradient = x.clone(), loss.clone(), gradient.clone()
    step_size = torch.full_like(loss, 2 * eps).view(-1, 1, 1, 1)
    rises = torch.zeros_like(loss)
    halved, checked_loss = torch.ones_like(wrong), best_loss.clone()
    previous, last = loss, 0
    for step in range(steps):
        ahead = _into_ball(x + step_size * gradient.sign(), images, eps)
        if step:
            ahead = x + 0.75 * (ahead - x) + 0.25 * (x - before)
            ahead = _into_ball(ahead, images, eps)
        before, x = x, ahead
        loss, gradient, wrong = _loss_and_gradient(model, x, labels)
        fooled |= wrong
        kept[wrong] = x[wrong]
        better = loss > best_loss
        best[better], best_gradient[better] = x[better], gradient[better]
        best_loss = torch.maximum(loss, best_loss)
        rises += loss > previous
        previous = loss
        if step + 1 in checkpoints:
            slow = rises <= 0.75 * (step + 1 - last)
            halve = slow | (~halved & (best_loss <= checked_loss))
            step_size[halve] /= 2
            x, gradient = x.clone(), gradient.clone()
            x[halve], gradient[halve] = best[halve], best_gradient[halve]
            halved, checked_loss, last = halve, best_loss.clone(), step + 1
            rises.zero_()
    return kept, fooled


def square(model, images, labels, *, eps, queries):
    """Square in linf (Andriushchenko et al. 2020), one window position for the batch.

    Images that have fallen are asked about again, as ours are; the authors' code drops
    them, which is faster where many fall early.
    """
    count, channels, height, width = images.shape

    def signs(*shape):
        return torch.randint(0, 2, shape, device=images.device) * 2.0 - 1.0

    def margin(x):
        logits = model(x)
        right = logits.gather(1, labels[:, None])[:, 0]
        return logits.scatter(1, labels[:, None], -math.inf).amax(1) - right

    with torch.no_grad():
        x = (images + eps * signs(count, channels, 1, width)).clamp_(0, 1)
        best = margin(x)
        for query in range(queries - 1):
            side = _window_side(query, height, width)
            row = np.random.randint(0, height - side + 1)
            column = np.random.randint(0, width - side + 1)
            here = np.s_[:, :, row : row + side, column : column + side]
            trial = x.clone()
            trial[here] += 2 * eps * signs(count, channels, 1, 1)
            trial = _into_ball(trial, images, eps)
            value = margin(trial)
            better = (value > best) & (best <= 0)
            best = torch.where(better, value, best)
            x = torch.where(better.view(-1, 1, 1, 1), trial, x)
        return x, best > 0


def _loss_and_gradient(model, x, labels):
    x = x.detach().requires_grad_(True)
    logits = model(x)
    loss = functional.cross_entropy(logits, labels, reduction="none")
    (gradient,) = torch.autograd.grad(loss.sum(), x)
    return loss.detach(), gradient, logits.detach().argmax(1) != labels


def _checkpoints(steps):
    """Steps after which the step size may be halved: 22, 41, 57, ... of 100."""
    at, period = [], max(int(0.22 * steps), 1)
    while sum(at[-1:]) + period <= steps:
        at.append(sum(at[-1:]) + period)
        period = max(period - max(int(0.03 * steps), 1), max(int(0.06 * steps), 1))
    return set(at)


def _window_side(query, height, width):
    halved = sum(
        query > trial for trial in (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)
    )
    side = round(math.sqrt(0.8 * 0.5**halved * height * width))
    return min(max(side, 1), height, width)


def _into_ball(x, images, eps):
    return torch.min(torch.max(x, images - eps), images + eps).clamp_(0, 1)
