"""Vision transformers (Dosovitskiy et al., ICLR 2021, arXiv 2010.11929) and DeiT.

Layout and layer order are those of timm, with a class token. DeiT (Touvron et al., ICML
2021, arXiv 2012.12877), without distillation, is the same network. In front stand
patches, or the convolutions of Singh, Croce and Hein (arXiv 2303.01870); their robust
ViT-B sees pixels that are not normalized.

Deviation: the usual normalization of all others is that of the robust models. The
weights of the first paper want mean and std of 0.5: say so where they are converted.
"""

from collections.abc import Mapping

import jax
import numpy as np
from flax import linen as nn

from mspd_jax.models.networks._attention import (
    Block,
    ClassToken,
    LayerNorm,
    aligned,
    always,
    as_tokens,
    sized,
)
from mspd_jax.models.networks._family import (
    IMAGENET,
    Family,
    Number,
    Numbers,
    blocks_in,
    shape_in,
)
from mspd_jax.models.networks._form import Classifier, Layers
from mspd_jax.models.networks._stems import STEM_NAMES, ConvStem, Patches, stem_in

# By size: channels and heads.
SIZES = {"small": (384, 6), "base": (768, 12)}


class Embedding(nn.Module):
    """Patches, or a ConvStem, then the class token and a vector for each position.

    [..., H, W, C] -> tokens [..., 1 + N, features]. The vectors are for images of one
    size; InputError for others.
    """

    features: int
    patch: int
    stem: tuple[int, ...]

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        if self.stem:
            # Each convolution halves the map.
            shape = (self.stem, len(self.stem), self.features)
            x = ConvStem(*shape, name="stem")(x)
        else:
            x = Patches(self.features, self.patch, name="patches")(x)
        x = ClassToken(name="class")(as_tokens(x))
        positions = sized(self, "pos_embed", (1, *x.shape[-2:]))
        return x + aligned(positions[0], x)


class VisionTransformer(Classifier):
    """ViT: normalized images [..., H, W, C] -> logits [..., num_classes].

    `width` is the number of channels, `patch` the side of a patch, `stem` the channels
    of a ConvStem's convolutions in place of patches.
    """

    depth: int
    width: int
    heads: int
    patch: int = 16
    stem: tuple[int, ...] = ()

    @nn.nowrap
    def layers(self) -> Layers:
        shape = (self.width, self.patch, self.stem)
        layers: Layers = {"embed": always(Embedding(*shape, name="embed"))}
        for index in range(self.depth):
            name = f"block{index}"
            layers[name] = always(Block(self.heads, name=name))
        norm = LayerNorm(name="norm")
        # The class token, as a map of one place.
        layers["norm"] = lambda x, train: norm(x[..., None, :1, :])
        return layers


def _blocks_in(tensors):
    return {
        "width": shape_in(tensors, "cls_token", 3)[-1],
        "depth": len(blocks_in(tensors, r"blocks\.(\d+)\.norm1\.bias")),
    }


def _options_in(tensors: Mapping[str, np.ndarray]) -> dict:
    patch = shape_in(tensors, "patch_embed.proj.weight", 4)[-1]
    return _blocks_in(tensors) | {"patch": patch}


def _convstem_options_in(tensors: Mapping[str, np.ndarray]) -> dict:
    return {"stem": stem_in(tensors, "patch_embed.proj.stem")} | _blocks_in(tensors)


def _row(name, size, stem=()):
    width, heads = SIZES[size]
    patch = {"stem": Numbers(stem)} if stem else {"patch": Number(16)}
    shape = {"depth": Number(12), "width": Number(width), "heads": Number(heads)}
    return Family(
        names=name,
        pattern=name,
        network=VisionTransformer,
        options=shape | patch,
        normalization=IMAGENET,
        size=224,
        torch_names=(
            (r"^embed/patches", "patch_embed.proj"),
            *STEM_NAMES,
            (r"^embed/stem", "patch_embed.proj.stem"),
            (r"^embed(/class)?$", ""),
            (r"^block(\d+)", r"blocks.\1"),
        ),
        options_in=_convstem_options_in if stem else _options_in,
    )


_STEM = (48, 96, 192, 384)
VIT = (
    _row("vit_small", "small"),
    _row("vit_base", "base"),
    _row("vit_small_convstem", "small", _STEM),
    _row("vit_base_convstem", "base", _STEM)._replace(normalization=None),
    _row("deit_small", "small"),
    _row("deit_base", "base"),
)
