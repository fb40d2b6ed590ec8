"""The networks in PyTorch, with the state-dict names that conversion expects.

They are the reference of the parity tests, written for them from the published
descriptions; nothing outside the tests imports this module.
"""

import torch
from torch import nn
from torch.nn import functional


def _conv(inputs, outputs, *, kernel=3, stride=1, padding=1, bias=False):
    return nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=bias)


class BasicBlock(nn.Module):
    """Residual block of the CIFAR ResNets, shortcut option A."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = _conv(inputs, outputs, stride=stride)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = _conv(outputs, outputs)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.stride, self.side = stride, (outputs - inputs) // 2

    def forward(self, x):
        y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        sides = (0, 0, 0, 0, self.side, self.side)
        return torch.relu(
            y + functional.pad(x[:, :, :: self.stride, :: self.stride], sides)
        )


class ResNet(nn.Module):
    """CIFAR ResNet of a depth 6 n + 2."""

    def __init__(self, depth, num_classes):
        super().__init__()
        self.conv1, self.bn1 = _conv(3, 16), nn.BatchNorm2d(16)
        blocks = (depth - 2) // 6
        for index, (inputs, outputs) in enumerate(((16, 16), (16, 32), (32, 64))):
            stage = [BasicBlock(inputs, outputs, 1 if index == 0 else 2)]
            stage += [BasicBlock(outputs, outputs, 1) for _ in range(blocks - 1)]
            setattr(self, f"layer{index + 1}", nn.Sequential(*stage))
        self.linear = nn.Linear(64, num_classes)

    def forward(self, x):
        x = torch.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(x.mean((2, 3)))


def _pad_same(x, stride):
    return functional.pad(x, (1, 1, 1, 1) if stride == 1 else (0, 1, 0, 1))


class PreactBlock(nn.Module):
    """Block of the PreAct ResNet: the shortcut convolves the raw input, 3x3."""

    def __init__(self, inputs, outputs, stride, activation):
        super().__init__()
        self.batchnorm_0 = nn.BatchNorm2d(inputs)
        self.conv_2d_1 = _conv(inputs, outputs, stride=stride, padding=0)
        self.batchnorm_1 = nn.BatchNorm2d(outputs)
        self.conv_2d_2 = _conv(outputs, outputs)
        self.activation, self.stride, self.shortcut = activation, stride, None
        if inputs != outputs:
            self.shortcut = _conv(inputs, outputs, stride=stride, padding=0)

    def forward(self, x):
        y = _pad_same(self.activation(self.batchnorm_0(x)), self.stride)
        y = self.activation(self.batchnorm_1(self.conv_2d_1(y)))
        if self.shortcut is not None:
            x = self.shortcut(_pad_same(x, self.stride))
        return x + self.conv_2d_2(y)


class PreactResNet(nn.Module):
    """PreAct ResNet-18 in DeepMind's variant; it normalizes by its own buffers."""

    def __init__(self, num_classes, activation, mean, std):
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1))
        self.conv_2d, self.activation = _conv(3, 64), activation
        inputs = 64
        for index, outputs in enumerate((64, 128, 256, 512)):
            first = PreactBlock(inputs, outputs, 1 if index == 0 else 2, activation)
            second = PreactBlock(outputs, outputs, 1, activation)
            setattr(self, f"layer_{index}", nn.Sequential(first, second))
            inputs = outputs
        self.batchnorm = nn.BatchNorm2d(512)
        self.logits = nn.Linear(512, num_classes)

    def forward(self, x):
        x = self.conv_2d((x - self.mean) / self.std)
        x = self.layer_3(self.layer_2(self.layer_1(self.layer_0(x))))
        x = self.activation(self.batchnorm(x))
        return self.logits(x.mean((2, 3)))


class WideBlock(nn.Module):
    """Block of the Wide ResNet: the shortcut convolves the activated input, 1x1."""

    def __init__(self, inputs, outputs, stride, activation):
        super().__init__()
        self.batchnorm_0 = nn.BatchNorm2d(inputs)
        self.conv_0 = _conv(inputs, outputs, stride=stride, padding=0)
        self.batchnorm_1 = nn.BatchNorm2d(outputs)
        self.conv_1 = _conv(outputs, outputs)
        self.activation, self.stride, self.shortcut = activation, stride, None
        if inputs != outputs:
            self.shortcut = _conv(inputs, outputs, kernel=1, stride=stride, padding=0)

    def forward(self, x):
        active = self.activation(self.batchnorm_0(x))
        y = self.conv_0(_pad_same(active, self.stride))
        y = self.conv_1(self.activation(self.batchnorm_1(y)))
        return y + (x if self.shortcut is None else self.shortcut(active))


class WideGroup(nn.Module):
    """A stage, whose blocks stand under `block`."""

    def __init__(self, *blocks):
        super().__init__()
        self.block = nn.Sequential(*blocks)

    def forward(self, x):
        return self.block(x)


class WideResNet(nn.Module):
    """Wide ResNet in DeepMind's variant; it normalizes by its own buffers."""

    def __init__(self, depth, width, num_classes, activation, mean, std):
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1))
        self.init_conv, self.activation = _conv(3, 16), activation
        inputs, groups = 16, []
        for index, outputs in enumerate((16 * width, 32 * width, 64 * width)):
            blocks = [WideBlock(inputs, outputs, 1 if index == 0 else 2, activation)]
            for _ in range((depth - 4) // 6 - 1):
                blocks.append(WideBlock(outputs, outputs, 1, activation))
            groups.append(WideGroup(*blocks))
            inputs = outputs
        self.layer = nn.Sequential(*groups)
        self.batchnorm = nn.BatchNorm2d(inputs)
        self.logits = nn.Linear(inputs, num_classes)

    def forward(self, x):
        x = self.layer(self.init_conv((x - self.mean) / self.std))
        x = self.activation(self.batchnorm(x))
        return self.logits(x.mean((2, 3)))


class SmallCNN(nn.Module):
    """conv0, bn0, conv1, bn1, ..., linear; without `norm`, convolutions have biases."""

    def __init__(self, channels, widths, num_classes, activation, norm):
        super().__init__()
        self.activation, self.norm, self.depth = activation, norm, len(widths)
        inputs = channels
        for index, width in enumerate(widths):
            conv = _conv(inputs, width, stride=min(index, 1) + 1, bias=not norm)
            setattr(self, f"conv{index}", conv)
            if norm:
                setattr(self, f"bn{index}", nn.BatchNorm2d(width))
            inputs = width
        self.linear = nn.Linear(inputs, num_classes)

    def forward(self, x):
        for index in range(self.depth):
            x = getattr(self, f"conv{index}")(x)
            if self.norm:
                x = getattr(self, f"bn{index}")(x)
            x = self.activation(x)
        return self.linear(x.mean((2, 3)))


class DnCNN(nn.Module):
    """Denoiser: convolution, ReLU, then convolution, norm, ReLU, ..., convolution."""

    def __init__(self, depth, width, channels):
        super().__init__()
        layers = [_conv(channels, width, bias=True), nn.ReLU()]
        for _ in range(depth - 2):
            norm = nn.BatchNorm2d(width, eps=1e-4, momentum=0.05)
            layers += [_conv(width, width), norm, nn.ReLU()]
        self.dncnn = nn.Sequential(*layers, _conv(width, channels))

    def forward(self, x):
        return x - self.dncnn(x)


class NormConv(nn.Module):
    """conv(relu(bn(x)))."""

    def __init__(self, inputs, outputs, kernel=3):
        super().__init__()
        self.bn = nn.BatchNorm2d(inputs)
        self.conv = _conv(inputs, outputs, kernel=kernel, padding=kernel // 2)

    def forward(self, x):
        return self.conv(torch.relu(self.bn(x)))


class MemoryBlock(nn.Module):
    """Residual blocks, and a gate over all that they and earlier blocks gave."""

    def __init__(self, recursions, number, width):
        super().__init__()
        self.recursive_unit = nn.ModuleList()
        for _ in range(recursions):
            unit = nn.Module()
            unit.relu_conv1 = NormConv(width, width)
            unit.relu_conv2 = NormConv(width, width)
            self.recursive_unit.append(unit)
        self.gate_unit = NormConv((recursions + number) * width, width, kernel=1)

    def forward(self, x, memories):
        short = []
        for unit in self.recursive_unit:
            x = x + unit.relu_conv2(unit.relu_conv1(x))
            short.append(x)
        return self.gate_unit(torch.cat(short + memories, 1))


class MemNet(nn.Module):
    """Denoiser of memory blocks."""

    def __init__(self, blocks, recursions, width, channels):
        super().__init__()
        self.feature_extractor = NormConv(channels, width)
        self.dense_memory = nn.ModuleList(
            MemoryBlock(recursions, number + 1, width) for number in range(blocks)
        )
        self.reconstructor = NormConv(width, channels)

    def forward(self, x):
        memories = [self.feature_extractor(x)]
        for block in self.dense_memory:
            memories.append(block(memories[-1], list(memories)))
        return x + self.reconstructor(memories[-1])


def randomize(model: nn.Module, seed: int) -> nn.Module:
    """Weights that keep the scale of activations, and statistics far from neutral."""
    generator = torch.Generator().manual_seed(seed)

    def uniform(tensor, low, high):
        tensor.copy_(torch.rand(tensor.shape, generator=generator) * (high - low) + low)

    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                if module.affine:
                    uniform(module.weight, 0.3, 1.0)
                    uniform(module.bias, -0.5, 0.5)
                uniform(module.running_mean, -0.5, 0.5)
                uniform(module.running_var, 0.5, 2.0)
            elif isinstance(module, nn.Linear) and module.bias is not None:
                uniform(module.bias, -1.0, 1.0)
    return model.eval()
