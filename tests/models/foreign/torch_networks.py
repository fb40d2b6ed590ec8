"""Small PyTorch networks, good and bad, that conversions meet in the tests."""

import torch
from torch import nn
from torch.nn import functional


class Mixed(nn.Module):
    """A bit of everything that image classifiers are made of."""

    def __init__(self, classes=5):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, 2, 1)
        self.norm = nn.BatchNorm2d(8)
        self.deep = nn.Conv2d(8, 8, 3, padding=2, dilation=2, groups=4)
        self.group = nn.GroupNorm(2, 8)
        self.up = nn.ConvTranspose2d(8, 6, 3, 2, 1, output_padding=1, groups=2)
        self.attention = nn.MultiheadAttention(6, 2, batch_first=True)
        self.layer = nn.LayerNorm(6)
        self.register_buffer("places", torch.arange(16).flip(0), persistent=False)
        self.shift = torch.tensor([0.1, -0.2, 0.3, 0.0, 0.5, -0.4])  # a plain tensor
        self.head = nn.Linear(6, classes)

    def forward(self, x):
        x = functional.relu(self.norm(self.stem(x)), inplace=True)
        x = functional.max_pool2d(x, 3, 2, 1, ceil_mode=True)
        x = functional.gelu(self.group(self.deep(x))) + x
        x = functional.avg_pool2d(functional.hardswish(self.up(x)), 3, 2, 1)
        x = functional.interpolate(x, size=(4, 4), mode="bilinear")
        x = x.flatten(2).transpose(1, 2)[:, self.places] + self.shift
        x = x + self.attention(x, x, x, need_weights=False)[0]
        return self.head(functional.silu(self.layer(x)).mean(1))


def randomized(module):
    """The module with statistics and parameters that are not the neutral ones."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
            if tensor.is_floating_point():
                noise = torch.randn(tensor.shape, generator=generator)
                tensor.add_(noise.abs() if "var" in name else 0.3 * noise)
    return module


class Wrapped(nn.Module):
    """A linear classifier of 2x2 images behind any function of images."""

    def __init__(self, change, finish=lambda y: y):
        super().__init__()
        self.head = nn.Linear(12, 3)
        self.change, self.finish = change, finish

    def forward(self, x):
        return self.finish(self.head(self.change(x).flatten(1)))


class Counting(Wrapped):
    """Keeps something between its calls."""

    def __init__(self):
        super().__init__(lambda x: x)
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x):
        self.calls += 1
        return super().forward(x)


class RoundThrough(torch.autograd.Function):
    """Rounding with the gradient of the identity."""

    @staticmethod
    def forward(ctx, x):
        return torch.round(4 * x) / 4

    @staticmethod
    def backward(ctx, cotangent):
        return cotangent
