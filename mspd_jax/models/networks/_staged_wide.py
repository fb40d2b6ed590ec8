"""Wide ResNets whose stages differ in depth and width, searched for robustness.

RobustWideResNet (Huang et al. 2021, arXiv 2110.03825), WRN-A4 (Huang et al. 2023, arXiv
2212.11005) and RaWRN-70-16 (Peng et al. 2023, arXiv 2308.16258), with the layouts and
layer orders in which RobustBench loads them.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import jax
import numpy as np
from flax import linen as nn

from mspd_jax.models.networks._family import (
    CIFAR10,
    Family,
    Flag,
    Numbers,
    Renamings,
    activation,
    shape_in,
)
from mspd_jax.models.networks._form import BLOCK_NAME, Classifier, Layers, block_places
from mspd_jax.models.networks._layers import NORM_MOMENTUM
from mspd_jax.models.networks._mean_sparse import COUNTERS, sparse_in
from mspd_jax.models.networks._preactivation import (
    DEEPMIND_NAMES,
    PreactivationBlock,
    bare_stem,
    last_norm,
)

_STAGES = 3


class StagedWideResNet(Classifier):
    """A Wide ResNet with blocks and channels by stage: normalized images -> logits.

    `blocks` and `widths` have a number for each of three stages; all but the first
    begin with a stride of 2. Strided convolutions pad on all sides. `sparse` is that of
    `WideResNet`.
    """

    blocks: tuple[int, ...]
    widths: tuple[int, ...]
    activation: Callable[[jax.Array], jax.Array]
    sparse: bool = False
    stem: ClassVar[int] = 16
    gated: ClassVar[bool] = False
    momentum: ClassVar[float] = NORM_MOMENTUM

    @nn.nowrap
    def layers(self) -> Layers:
        form: dict[str, Any] = {"momentum": self.momentum, "sparse": self.sparse}
        block = functools.partial(
            self.part, PreactivationBlock, activation=self.activation, **form
        )
        layers = bare_stem(self.stem)
        for name, stage, number in block_places(self.blocks):
            width = self.widths[stage]
            layers[name] = block(
                width,
                2 if stage > 0 and number == 0 else 1,
                same_padding=self.gated,
                gate=round(width / 4) if self.gated else 0,
                name=name,
            )
        return layers | last_norm(self, self.activation, **form)


class GatedWideResNet(StagedWideResNet):
    """RaWRN: strides as of `WideResNet`, and a gate at the end of each branch."""

    stem = 96
    gated = True
    momentum = 0.99


def _options_in(tensors: Mapping[str, np.ndarray], *, name: str) -> dict:
    """Blocks and widths; name: of a block's first kernel, by stage and number."""
    blocks, widths = [], []
    for stage in range(_STAGES):
        widths.append(shape_in(tensors, name.format(stage, 0), 4)[0])
        numbers = range(len(tensors))
        blocks.append(sum(name.format(stage, n) in tensors for n in numbers))
    return {"blocks": blocks, "widths": widths}


def _gated_options_in(tensors: Mapping[str, np.ndarray]) -> dict:
    name = "layer.{}.block.{}.conv_0.weight"
    return _options_in(tensors, name=name) | sparse_in(tensors)


def _options(blocks: tuple[int, ...], widths: tuple[int, ...], default: str) -> dict:
    return {
        "blocks": Numbers(blocks, length=_STAGES),
        "widths": Numbers(widths, length=_STAGES),
        "activation": activation(default),
    }


def _torch_names(shortcut: str, norm: str) -> Renamings:
    return (
        (BLOCK_NAME, r"blocks.\1.layer.\2."),
        (r"^stem", "stem_conv"),
        (r"first/conv", "conv1"),
        (r"second", "conv2"),
        (r"first/norm", "bn2"),
        (r"norm0", "bn1"),
        (r"shortcut", shortcut),
        (r"^norm", norm),
        (r"^head", "fc"),
    )


ROBUST_WIDE_RESNET = Family(
    names="robust_wide_resnet",
    pattern="robust_wide_resnet",
    network=StagedWideResNet,
    options=_options((5, 5, 5), (320, 640, 512), "relu"),
    torch_names=_torch_names("convShortcut", "bn1"),
    options_in=functools.partial(_options_in, name="blocks.{}.layer.{}.conv1.weight"),
)
WRN_A4 = ROBUST_WIDE_RESNET._replace(
    names="wrn_a4",
    pattern="wrn_a4",
    options=_options((27, 28, 13), (160, 448, 384), "silu"),
    normalization=CIFAR10,
    torch_names=_torch_names("shortcut.0", "norm1"),
)
RA_WRN = Family(
    names="ra_wrn70_16",
    pattern="ra_wrn70_16",
    network=GatedWideResNet,
    options=_options((30, 31, 10), (216, 432, 864), "silu") | {"sparse": Flag(False)},
    normalization=CIFAR10,
    torch_names=(
        (BLOCK_NAME, r"layer.\1.block.\2."),
        (r"^stem", "init_conv"),
        (r"first/conv", "conv_0"),
        (r"gate/first", "se.fc1"),
        (r"gate/second", "se.fc2"),
        (r"second", "conv_1"),
        *DEEPMIND_NAMES,
    ),
    unused=COUNTERS,
    options_in=_gated_options_in,
)
