"""The external robust networks in PyTorch, from their descriptions."""

import torch
from torch import nn


class Block(nn.Module):
    """A residual block with biases and without normalization."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1)
        self.shortcut = nn.Sequential()
        if stride != 1:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride))

    def forward(self, x):
        y = self.conv2(torch.relu(self.conv1(x)))
        return torch.relu(y + self.shortcut(x))


class Residual(nn.Module):
    """resnet2b and resnet4b."""

    def __init__(self, stem, widths, blocks, dense):
        super().__init__()
        self.conv1, inputs = nn.Conv2d(3, stem, 3, 2, 1), stem
        for stage, (width, count) in enumerate(zip(widths, blocks, strict=True)):
            layers = [Block(inputs, width, 2)]
            layers += [Block(width, width, 1) for _ in range(count - 1)]
            setattr(self, f"layer{stage + 1}", nn.Sequential(*layers))
            inputs = width
        side = 16 // 2 ** len(widths)
        self.linear1 = nn.Linear(inputs * side**2, dense[0])
        self.linear2 = nn.Linear(dense[0], 10)
        self.stages = len(widths)

    def forward(self, x):
        x = torch.relu(self.conv1(x))
        for stage in range(self.stages):
            x = getattr(self, f"layer{stage + 1}")(x)
        return self.linear2(torch.relu(self.linear1(x.flatten(1))))


def plain(channels, kernels, strides, paddings, dense):
    """A Sequential."""
    layers, inputs, side = [], 3, 32
    for row in zip(channels, kernels, strides, paddings, strict=True):
        layers += [nn.Conv2d(inputs, *row), nn.ReLU()]
        inputs, side = row[0], (side + 2 * row[3] - row[1]) // row[2] + 1
    layers += [nn.Flatten(), nn.Linear(inputs * side**2, dense[0]), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(dense[0], 10))


def twin(path, row):
    """The network in PyTorch, of normalized images."""
    kind = {"plain_cnn": plain, "residual_cnn": Residual}[row.architecture]
    network = kind(**row.options)
    content = torch.load(path, "cpu", weights_only=True)
    state = content.get("state_dict", content)
    network.load_state_dict(state[0] if isinstance(state, list) else state)
    mean, std = (torch.tensor(m).view(3, 1, 1) for m in (row.mean, row.std))
    return lambda x: network.eval()((x - mean) / std)
