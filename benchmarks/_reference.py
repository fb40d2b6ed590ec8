"""The MSPD reference algorithm in eager PyTorch, on the weights of one of our models.

Written from the description of the method (arXiv 2407.15524) and of what its reference
code does: the N noisy copies of all images form one batch, or several where that is
faster; the loss is summed over it; the gradient is asked for the input alone. Importing
this module needs PyTorch.
"""

import functools
from collections.abc import Callable

import jax
import numpy as np
import torch
from torch import nn
from torch.nn import functional

from mspd_jax.models import Model


class _Block(nn.Module):
    """shortcut(x) + conv(act(norm(conv(act(norm(x)))))); see `_preactivation.py`."""

    def __init__(self, params, stats, activation, stride):
        super().__init__()
        self.activation, self.stride = activation, stride
        self.norm0 = norm(params["norm0"], stats["norm0"])
        self.conv0 = conv(params["first"]["conv"])
        self.norm1 = norm(params["first"]["norm"], stats["first"]["norm"])
        self.conv1 = conv(params["second"])
        self.shortcut = conv(params["shortcut"]) if "shortcut" in params else None
        self.wide = "shortcut" in params and self.shortcut.kernel_size == (1, 1)
        if stride == 2:  # the strided convolutions pad below and to the right only
            self.conv0.stride = self.shortcut.stride = (2, 2)
            self.conv0.padding = self.shortcut.padding = (0, 0)

    def forward(self, x):
        active = self.activation(self.norm0(x))
        y = self.conv0(self._padded(active))
        y = self.conv1(self.activation(self.norm1(y)))
        if self.shortcut is None:
            return x + y
        return y + self.shortcut(active if self.wide else self._padded(x))

    def _padded(self, x):
        return functional.pad(x, (0, 1, 0, 1)) if self.stride == 2 else x


class TorchPreactResNet(nn.Module):
    """Our PreAct and Wide ResNets, weight for weight; NCHW images in [0, 1]."""

    def __init__(self, model: Model):
        super().__init__()
        params, stats = jax.tree.map(
            np.asarray, (model.variables["params"], model.variables["batch_stats"])
        )
        for name in ("mean", "std"):
            values = np.asarray(getattr(model.spec, name), np.float32)
            self.register_buffer(name, torch.from_numpy(values).view(-1, 1, 1))
        chosen = model.spec.options.get("activation", "silu")
        self.activation = {"silu": functional.silu, "relu": functional.relu}[chosen]
        self.stem = conv(params["stem"])
        self.blocks = nn.Sequential()
        for name in sorted(name for name in params if name.startswith("stage")):
            block = params[name]
            widens = "shortcut" in block
            stride = 2 if widens and not name.startswith("stage0") else 1
            self.blocks.append(_Block(block, stats[name], self.activation, stride))
        self.norm = norm(params["norm"], stats["norm"])
        self.head = nn.Linear(*params["head"]["kernel"].shape)
        self.head.load_state_dict(
            tensors(weight=params["head"]["kernel"].T, bias=params["head"]["bias"])
        )

    def forward(self, x):
        x = self.blocks(self.stem((x - self.mean) / self.std))
        return self.head(self.activation(self.norm(x)).mean((2, 3)))


def tensors(**arrays):
    return {name: torch.from_numpy(np.array(a)) for name, a in arrays.items()}


def conv(params):
    kernel = params["kernel"].transpose(3, 2, 0, 1)
    outputs, inputs, size, _ = kernel.shape
    layer = nn.Conv2d(inputs, outputs, size, padding=size // 2, bias=False)
    layer.load_state_dict(tensors(weight=kernel))
    return layer


def norm(params, stats):
    layer = nn.BatchNorm2d(len(params["scale"]))
    moments = tensors(running_mean=stats["mean"], running_var=stats["var"])
    affine = tensors(weight=params["scale"], bias=params["bias"])
    layer.load_state_dict({**affine, **moments}, strict=False)
    return layer


def input_gradient(model: Callable, images, labels):
    """Gradient of the summed cross-entropy in the images [B, C, H, W]."""
    images = images.detach().requires_grad_(True)
    loss = functional.cross_entropy(model(images), labels, reduction="sum")
    return torch.autograd.grad(loss, images)[0]


def protect(
    model: Callable, images, labels, *, eps: float, num_samples: int, at_once: int
):
    """One forward and one backward epoch of MCGS, K = 1, learning rate 1.

    images: [B, C, H, W] in [0, 1]; labels: int [B]. at_once: noisy images in a pass.
    Returns [B, C, H, W].
    """
    step = functools.partial(
        _smoothed_step, model, eps=eps, num_samples=num_samples, at_once=at_once
    )
    lowered = _keep_in_ball(step(images, labels, sign=-1), images, eps)
    attacked = step(lowered, labels, sign=+1)
    return _keep_in_ball(2 * lowered - attacked, images, eps)


def _smoothed_step(model, images, labels, *, eps, num_samples, at_once, sign):
    center = images.unsqueeze(0).repeat(num_samples, 1, 1, 1, 1)
    noise = torch.empty_like(center).uniform_(-eps, eps)
    noisy = (center + noise).clamp(0, 1)
    batch = noisy.flatten(0, 1)
    parts = zip(
        batch.split(at_once), labels.repeat(num_samples).split(at_once), strict=True
    )
    gradient = torch.cat([input_gradient(model, *part) for part in parts])
    moved = noisy + sign * eps * gradient.sign().view_as(noisy)
    return _keep_in_ball(moved, center, eps).mean(dim=0)


def _keep_in_ball(images, center, eps):
    return torch.min(torch.max(images, center - eps), center + eps).clamp(0, 1)
