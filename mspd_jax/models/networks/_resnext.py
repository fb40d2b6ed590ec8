"""ResNeXt (Xie et al. 2017, arXiv 1611.05431) for CIFAR.

Layout and layer order are those of the authors of AugMix (google-research/augmix), as
RobustBench loads their networks; `mspd_jax.models.convert_torch` reads them.
"""

import functools

from flax import linen as nn

from mspd_jax.models.networks._blocks import Bottleneck
from mspd_jax.models.networks._family import SIGNED, Family
from mspd_jax.models.networks._form import BLOCK_NAME, Classifier, Layers, in_stages
from mspd_jax.models.networks._layers import ConvNorm


class ResNeXt(Classifier):
    """ResNeXt-depth, groups x group_width d: normalized images -> logits.

    Three stages of n = (depth - 2) / 9 bottlenecks whose 3x3 convolution has `groups`
    groups, each of `group_width` channels in the first stage.
    """

    depth: int
    groups: int
    group_width: int

    @nn.nowrap
    def layers(self) -> Layers:
        stem = self.part(ConvNorm, 64, name="stem")
        groups = {"groups": self.groups, "group_width": self.group_width}
        block = functools.partial(self.part, Bottleneck, **groups)
        layers: Layers = {"stem": lambda x, train: nn.relu(stem(x, train))}
        return layers | in_stages(block, 64, 3 * [(self.depth - 2) // 9])


RESNEXT = Family(
    names="resnext<depth>_<groups>x<width>d (as in resnext29_4x32d)",
    pattern=(
        r"resnext(?P<depth>[1-9]\d{1,2})"
        r"_(?P<groups>[1-9]\d?)x(?P<group_width>[1-9]\d{0,2})d"
    ),
    network=ResNeXt,
    normalization=SIGNED,
    torch_names=(
        (BLOCK_NAME, lambda match: f"stage_{int(match[1]) + 1}.{match[2]}."),
        (r"^stem/conv", "conv_1_3x3"),
        (r"^stem/norm", "bn_1"),
        (r"first/conv", "conv_reduce"),
        (r"first/norm", "bn_reduce"),
        (r"second/conv", "conv_conv"),
        (r"second/norm", "bn"),
        (r"third/conv", "conv_expand"),
        (r"third/norm", "bn_expand"),
        (r"shortcut/conv", "downsample.0"),
        (r"shortcut/norm", "downsample.1"),
        (r"^head", "classifier"),
    ),
    fits=lambda numbers: numbers["depth"] % 9 == 2 and numbers["depth"] > 2,
)
