"""The MSPD reference algorithm in eager PyTorch, on the weights of one of our models.

Written from the description of the method (arXiv 2407.15524) and of what its reference
code does: all N noisy copies of all images form one batch, the loss is summed over it,
the gradient is asked for the input alone, the weights keep `requires_grad`. Importing
this module needs PyTorch.
"""

import jax
import numpy as np
import torch
from torch import nn
from torch.nn import functional

from mspd_jax.models import Model


class _Block(nn.Module):
    """shortcut(x) + conv(silu(norm(conv(silu(norm(x)))))); see `_preactivation.py`."""

    def __init__(self, params, stats):
        super().__init__()
        self.norm0 = norm(params["norm0"], stats["norm0"])
        self.conv0 = conv(params["first"]["conv"])
        self.norm1 = norm(params["first"]["norm"], stats["first"]["norm"])
        self.conv1 = conv(params["second"])
        self.shortcut = None
        if "shortcut" in params:
            self.shortcut = conv(params["shortcut"])
            self.conv0.stride = self.shortcut.stride = (2, 2)
            self.conv0.padding = self.shortcut.padding = (0, 0)

    def forward(self, x):
        y = functional.silu(self.norm0(x))
        if self.shortcut is None:
            y = self.conv0(y)
        else:  # the strided convolutions pad below and to the right only
            y = self.conv0(functional.pad(y, (0, 1, 0, 1)))
            x = self.shortcut(functional.pad(x, (0, 1, 0, 1)))
        return x + self.conv1(functional.silu(self.norm1(y)))


class TorchPreactResNet18(nn.Module):
    """Our PreAct ResNet-18 with SiLU, weight for weight; NCHW images in [0, 1]."""

    def __init__(self, model: Model):
        super().__init__()
        params, stats = jax.tree.map(
            np.asarray, (model.variables["params"], model.variables["batch_stats"])
        )
        for name in ("mean", "std"):
            values = np.asarray(getattr(model.spec, name), np.float32)
            self.register_buffer(name, torch.from_numpy(values).view(-1, 1, 1))
        self.stem = conv(params["stem"])
        blocks = sorted(name for name in params if name.startswith("stage"))
        self.blocks = nn.Sequential(*(_Block(params[b], stats[b]) for b in blocks))
        self.norm = norm(params["norm"], stats["norm"])
        self.head = nn.Linear(*params["head"]["kernel"].shape)
        self.head.load_state_dict(
            tensors(weight=params["head"]["kernel"].T, bias=params["head"]["bias"])
        )

    def forward(self, x):
        x = self.blocks(self.stem((x - self.mean) / self.std))
        return self.head(functional.silu(self.norm(x)).mean((2, 3)))


def tensors(**arrays):
    return {name: torch.from_numpy(np.array(a)) for name, a in arrays.items()}


def conv(params):
    kernel = params["kernel"].transpose(3, 2, 0, 1)
    layer = nn.Conv2d(kernel.shape[1], kernel.shape[0], 3, padding=1, bias=False)
    layer.load_state_dict(tensors(weight=kernel))
    return layer


def norm(params, stats):
    layer = nn.BatchNorm2d(len(params["scale"]))
    moments = tensors(running_mean=stats["mean"], running_var=stats["var"])
    affine = tensors(weight=params["scale"], bias=params["bias"])
    layer.load_state_dict({**affine, **moments}, strict=False)
    return layer


def input_gradient(model: nn.Module, images, labels):
    """Gradient of the summed cross-entropy in the images [B, C, H, W]."""
    images = images.detach().requires_grad_(True)
    loss = functional.cross_entropy(model(images), labels, reduction="sum")
    return torch.autograd.grad(loss, images)[0]


def protect(model: nn.Module, images, labels, *, eps: float, num_samples: int):
    """One forward and one backward epoch of MCGS, K = 1, learning rate 1.

    images: [B, C, H, W] in [0, 1]; labels: int [B]. Returns [B, C, H, W].
    """
    lowered = _smoothed_step(model, images, labels, eps, num_samples, -1)
    lowered = _keep_in_ball(lowered, images, eps)
    attacked = _smoothed_step(model, lowered, labels, eps, num_samples, +1)
    return _keep_in_ball(2 * lowered - attacked, images, eps)


def _smoothed_step(model, images, labels, eps, num_samples, sign):
    center = images.unsqueeze(0).repeat(num_samples, 1, 1, 1, 1)
    noise = torch.empty_like(center).uniform_(-eps, eps)
    noisy = (center + noise).clamp(0, 1)
    batch = noisy.flatten(0, 1)
    gradient = input_gradient(model, batch, labels.repeat(num_samples))
    moved = noisy + sign * eps * gradient.sign().view_as(noisy)
    return _keep_in_ball(moved, center, eps).mean(dim=0)


def _keep_in_ball(images, center, eps):
    return torch.min(torch.max(images, center - eps), center + eps).clamp(0, 1)
