"""ConvNeXt (Liu et al., CVPR 2022, arXiv 2201.03545), with either of two stems.

Layout and layer order are those of timm; the names of the authors' own code are read as
well. The stem is a layer of 4x4 patches, or the convolutions of Singh, Croce and Hein
(arXiv 2303.01870), whose robust models see pixels that are not normalized.
"""

from collections.abc import Mapping
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from mspd_jax.models.networks._attention import LayerNorm, Mlp, always, scaled
from mspd_jax.models.networks._family import (
    IMAGENET,
    Family,
    Flag,
    Numbers,
    blocks_in,
    respelled,
    shape_in,
)
from mspd_jax.models.networks._form import Classifier, Formed, Layers, block_places
from mspd_jax.models.networks._layers import conv
from mspd_jax.models.networks._mean_sparse import COUNTERS, MeanSparse, sparse_in
from mspd_jax.models.networks._stems import STEM_NAMES, ConvStem, Patches, stem_in

_STAGES = 4
# By size: blocks of the stages, channels of the stages, channels of the ConvStem.
SIZES = {
    "tiny": ((3, 3, 9, 3), (96, 192, 384, 768), (48, 96)),
    "small": ((3, 3, 27, 3), (96, 192, 384, 768), (48, 96)),
    "base": ((3, 3, 27, 3), (128, 256, 512, 1024), (64, 96, 128)),
    "large": ((3, 3, 27, 3), (192, 384, 768, 1536), (96, 144, 192)),
}


class ConvNeXtBlock(Formed):
    """x + gamma * perceptron(norm(depthwise(x))), with a 7x7 convolution.

    With `sparse` a `MeanSparse` follows gamma, and the perceptron has one.
    """

    sparse: bool = False

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        channels = x.shape[-1]
        depthwise = conv(
            channels,
            kernel=7,
            padding=((3, 3), (3, 3)),
            use_bias=True,
            groups=channels,
            name="depthwise",
        )
        y = depthwise(x)
        y = self.part(Mlp, self.sparse, name="mlp")(LayerNorm(name="norm")(y))
        sparsified = self.part(MeanSparse, self.sparse, name="sparse")
        return x + sparsified(scaled(self, "gamma", y))


class PatchStem(nn.Module):
    """Patches, then a norm of their channels."""

    features: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        return LayerNorm(name="norm")(Patches(self.features, 4, name="patches")(x))


class Halving(nn.Module):
    """A norm of the channels, then 2x2 patches: half the height and width."""

    features: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        return Patches(self.features, 2, name="patches")(LayerNorm(name="norm")(x))


class ConvNeXt(Classifier):
    """ConvNeXt: normalized images [..., H, W, C] -> logits [..., num_classes].

    `depths` are the blocks of the four stages, `dims` their channels, `stem` the
    channels of a ConvStem's convolutions, none for patches, `sparse` that of its
    blocks.
    """

    depths: tuple[int, ...]
    dims: tuple[int, ...]
    stem: tuple[int, ...] = ()
    sparse: bool = False
    layer_scale: ClassVar[float] = 1e-6  # how they begin, see `initialize`

    @nn.nowrap
    def layers(self) -> Layers:
        stem = ConvStem(self.stem, halvings=2, name="stem") if self.stem else None
        layers: Layers = {"stem": always(stem or PatchStem(self.dims[0], name="stem"))}
        for name, stage, number in block_places(self.depths):
            if stage > 0 and number == 0:
                half = f"half{stage}"
                layers[half] = always(Halving(self.dims[stage], name=half))
            layers[name] = always(self.part(ConvNeXtBlock, self.sparse, name=name))
        norm = LayerNorm(name="norm")
        # A map of one place: the head's own mean leaves it as it is.
        layers["norm"] = lambda x, train: norm(
            jnp.mean(x, axis=(-3, -2), keepdims=True)
        )
        return layers


def _stages_in(tensors):
    first = [f"stages.{stage}.blocks.0.conv_dw.bias" for stage in range(_STAGES)]
    return {
        "depths": blocks_in(tensors, r"stages\.(\d+)\.blocks\.\d+\.conv_dw\.bias"),
        "dims": [shape_in(tensors, name, 1)[0] for name in first],
        **sparse_in(tensors),
    }


def _options_in(tensors: Mapping[str, np.ndarray]) -> dict:
    shape_in(tensors, "stem.0.weight", 4)
    return _stages_in(tensors)


def _convstem_options_in(tensors: Mapping[str, np.ndarray]) -> dict:
    return {"stem": stem_in(tensors, "stem.stem")} | _stages_in(tensors)


def _canonical(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """From the names of the authors, where the tensors have them."""
    authors = "downsample_layers.0.0.weight" in tensors
    return _of_authors(tensors) if authors else tensors


_of_authors = respelled(
    (r"^downsample_layers\.0\.", "stem."),
    (r"^downsample_layers\.(\d+)\.", r"stages.\1.downsample."),
    (r"^stages\.(\d+)\.(\d+)\.", r"stages.\1.blocks.\2."),
    (r"\.dwconv\.", ".conv_dw."),
    (r"\.pwconv", ".mlp.fc"),
    (r"^head\.", "head.fc."),
    (r"^norm\.", "head.norm."),
)
_TORCH_NAMES = (
    (r"stage(\d+)_block(\d+)", r"stages.\1.blocks.\2"),
    (r"depthwise", "conv_dw"),
    # In Sequentials with what they stand beside.
    (r"mlp/sparse", "mlp/act.0"),
    (r"/sparse", "/drop_path.1"),
    (r"^half(\d+)/norm", r"stages.\1.downsample.0"),
    (r"^half(\d+)/patches", r"stages.\1.downsample.1"),
    *STEM_NAMES,
    (r"^stem\.", "stem.stem."),
    (r"^stem/patches", "stem.0"),
    (r"^stem/norm", "stem.1"),
    (r"^head", "head.fc"),
    (r"^norm", "head.norm"),
)


def _families(size):
    depths, dims, stem = SIZES[size]
    plain = Family(
        names=f"convnext_{size}",
        pattern=f"convnext_{size}",
        network=ConvNeXt,
        options={
            "depths": Numbers(depths, length=_STAGES),
            "dims": Numbers(dims, length=_STAGES),
            "sparse": Flag(False),
        },
        normalization=IMAGENET,
        size=224,
        torch_names=_TORCH_NAMES,
        unused=COUNTERS,
        options_in=_options_in,
        canonical=_canonical,
    )
    convolutional = plain._replace(
        names=f"convnext_{size}_convstem",
        pattern=f"convnext_{size}_convstem",
        options=plain.options | {"stem": Numbers(stem)},
        normalization=None,
        options_in=_convstem_options_in,
    )
    return plain, convolutional


CONVNEXT = tuple(family for size in SIZES for family in _families(size))
