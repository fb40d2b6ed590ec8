"""CIFAR ResNet-20/32/44/56/110 (He et al. 2016, section 4.2), shortcut option A.

Three stages of n = (depth - 2) / 6 basic blocks with 16, 32 and 64 channels. A shortcut
that changes the shape has no weights: every second pixel, and zero channels around.
Channel split and layer order are those of akamaster/pytorch_resnet_cifar10, whose
checkpoints `mspd_jax.models.convert_torch` reads.
"""

import functools

from flax import linen as nn

from mspd_jax.models._blocks import BasicBlock, padded_shortcut
from mspd_jax.models._form import Classifier, Layers, block_places
from mspd_jax.models._layers import ConvNorm


class ResNet(Classifier):
    """CIFAR ResNet: normalized images [..., H, W, C] -> logits [..., num_classes]."""

    depth: int

    @nn.nowrap
    def layers(self, train: bool) -> Layers:
        stem = self.part(ConvNorm, 16, name="stem")
        layers: Layers = {"stem": lambda x: nn.relu(stem(x, train))}
        for name, stage, block in block_places(3 * [(self.depth - 2) // 6]):
            shape = 16 * 2**stage, 2 if stage > 0 and block == 0 else 1
            module = self.part(BasicBlock, *shape, padded_shortcut, name=name)
            layers[name] = functools.partial(module, train=train)
        return layers
