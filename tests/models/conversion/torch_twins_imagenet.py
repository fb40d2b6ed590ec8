"""ImageNet ResNets and BagNets in PyTorch, with the names of their public checkpoints.

They are the reference of the parity tests, written for them from the published
descriptions; nothing outside the tests imports this module.
"""

import torch
from torch import nn


def _norm_conv(inputs, outputs, kernel, stride=1, padding=0):
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False)
    return conv, nn.BatchNorm2d(outputs)


class Block(nn.Module):
    """Residual block of convolutions (channels, kernel, stride, padding)."""

    def __init__(self, inputs, convolutions):
        super().__init__()
        channels, stride = inputs, 1
        for index, (outputs, kernel, step, padding) in enumerate(convolutions, 1):
            conv, norm = _norm_conv(channels, outputs, kernel, step, padding)
            setattr(self, f"conv{index}", conv)
            setattr(self, f"bn{index}", norm)
            channels, stride = outputs, stride * step
        self.count, self.downsample = len(convolutions), None
        if stride != 1 or inputs != channels:
            self.downsample = nn.Sequential(*_norm_conv(inputs, channels, 1, stride))

    def forward(self, x):
        y = x
        for index in range(1, self.count + 1):
            y = getattr(self, f"conv{index}")(y)
            y = getattr(self, f"bn{index}")(y)
            if index < self.count:
                y = torch.relu(y)
        if self.downsample is not None:
            x = self.downsample(x)
        lost = x.shape[-1] - y.shape[-1]
        if lost:  # where convolutions do not pad
            x = x[:, :, :-lost, :-lost]
        return torch.relu(y + x)


class _Stages(nn.Module):
    """Four stages, average, classifier."""

    def _add_stages(self, blocks, width, expansion, num_classes, convolutions):
        inputs = width
        for stage, count in enumerate(blocks):
            made = []
            for index in range(count):
                made.append(Block(inputs, convolutions(stage, index)))
                inputs = width * 2**stage * expansion
            setattr(self, f"layer{stage + 1}", nn.Sequential(*made))
        self.fc = nn.Linear(inputs, num_classes)

    def forward(self, x):
        x = self.layer4(self.layer3(self.layer2(self.layer1(self._stem(x)))))
        return self.fc(x.mean((2, 3)))


class ImageNetResNet(_Stages):
    """ResNet-18 and -34 of basic blocks, deeper ones of bottlenecks."""

    def __init__(self, depth, width, num_classes):
        super().__init__()
        blocks = {
            18: (2, 2, 2, 2),
            34: (3, 4, 6, 3),
            50: (3, 4, 6, 3),
            101: (3, 4, 23, 3),
            152: (3, 8, 36, 3),
        }[depth]
        self.conv1, self.bn1 = _norm_conv(3, width, 7, 2, 3)
        self.pool = nn.MaxPool2d(3, 2, 1)

        def convolutions(stage, index):
            channels = width * 2**stage
            stride = 2 if stage > 0 and index == 0 else 1
            if depth < 50:
                return (channels, 3, stride, 1), (channels, 3, 1, 1)
            middle = (channels, 3, stride, 1)
            return (channels, 1, 1, 0), middle, (4 * channels, 1, 1, 0)

        expansion = 1 if depth < 50 else 4
        self._add_stages(blocks, width, expansion, num_classes, convolutions)

    def _stem(self, x):
        return self.pool(torch.relu(self.bn1(self.conv1(x))))


class BagNet(_Stages):
    """`kernel3` says of each stage whether its first block has a 3x3 convolution."""

    def __init__(self, kernel3, width, blocks, strides, num_classes):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 1, bias=False)
        self.conv2 = nn.Conv2d(width, width, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width, momentum=0.001)

        def convolutions(stage, index):
            channels = width * 2**stage
            kernel = 3 if kernel3[stage] and index == 0 else 1
            middle = (channels, kernel, strides[stage] if index == 0 else 1, 0)
            return (channels, 1, 1, 0), middle, (4 * channels, 1, 1, 0)

        self._add_stages(blocks, width, 4, num_classes, convolutions)

    def _stem(self, x):
        return torch.relu(self.bn1(self.conv2(self.conv1(x))))
