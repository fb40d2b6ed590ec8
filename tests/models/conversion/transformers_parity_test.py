"""ConvNeXt, ViT, XCiT and Swin against timm: logits, gradients, names."""

import functools
import re

import jax
import numpy as np
import pytest
from absl.testing import absltest, parameterized

from mspd_jax.errors import InputError
from tests.models.conversion import torch_packages  # before timm

try:
    import torch
    from timm.models import convnext, swin_transformer, vision_transformer, xcit

    from tests.models.conversion.torch_parity import check_training
    from tests.models.conversion.torch_transformers import check, convert, randomize

    convstem = torch_packages.robustbench("convstem_models")
    robust_xcit = torch_packages.robustbench("xcit")
    robust_swin = torch_packages.robustbench("MIMIR_swin_transformer")
except (ImportError, RuntimeError):  # of a torchvision that is not for this PyTorch
    torch = None

pytestmark = [
    pytest.mark.compiling,
    pytest.mark.skipif(torch is None, reason="needs PyTorch, timm and robustbench"),
]


def _convnext(stem=None):
    model = convnext.ConvNeXt(
        depths=(1, 1, 2, 1), dims=(8, 12, 16, 24), num_classes=5
    )  # fmt: skip
    if stem is not None:
        model.stem = stem
    return randomize(model)


def _vit(*, stem=None, patch=8):
    model = vision_transformer.VisionTransformer(
        img_size=32, patch_size=patch, depth=2, num_heads=6, embed_dim=24, num_classes=5
    )
    if stem is not None:
        model.patch_embed.proj = stem
    return randomize(model)


class ConvNeXtTest(parameterized.TestCase):
    def test_patches(self):
        model = _convnext()
        converted = convert(model, "convnext_tiny", size=(64, 68))
        assert converted.spec.options == {
            "depths": [1, 1, 2, 1],
            "dims": [8, 12, 16, 24],
            "sparse": False,
        }
        check(model, converted)

    @parameterized.parameters(
        ("convnext_tiny_convstem", "ConvBlock1", (4, 8)),
        ("convnext_base_convstem", "ConvBlock3", (4, 6, 8)),
    )
    def test_convstem(self, name, kind, widths):
        model = _convnext(getattr(convstem, kind)(4))
        converted = convert(model, name, size=(48, 52))
        assert converted.spec.options["stem"] == list(widths)
        check(model, converted)
        with pytest.raises(InputError, match=r"is no convnext_tiny: missing: stem\.0"):
            convert(model, "convnext_tiny", size=(48, 52))

    def test_names_of_the_authors(self):
        model = _convnext()
        # timm reads them, too: this is the way back.
        words = {"stem.": "downsample_layers.0.", ".blocks.": ".", "head.fc.": "head."}
        words |= {".conv_dw.": ".dwconv.", ".mlp.fc": ".pwconv", "head.norm.": "norm."}

        def rename(state):
            for name in list(state):
                new = re.sub(r"stages\.(\d)\.down", r"downsample_layers.\1.down", name)
                new = new.replace("downsample.", "")
                for today, before in words.items():
                    new = new.replace(today, before)
                state[new] = state.pop(name)
            read = convnext.checkpoint_filter_fn(dict(state), model)
            assert read.keys() == model.state_dict().keys()

        name, size = "convnext_tiny", (64, 64)
        renamed = convert(model, name, size=size, change=rename).variables
        expected = convert(model, name, size=size).variables
        jax.tree.map(np.testing.assert_array_equal, renamed, expected)


class VisionTransformerTest(parameterized.TestCase):
    @parameterized.parameters("vit_small", "deit_small")
    def test_patches(self, name):
        model = _vit()
        converted = convert(model, name, size=(32, 32))
        expected = {"width": 24, "heads": 6, "depth": 2, "patch": 8}
        assert converted.spec.options == expected
        check(model, converted)
        with pytest.raises(InputError, match=r"misshaped: pos_embed \(1, 17, 24\)"):
            convert(model, name, size=(64, 64))

    def test_convstem(self):
        model = _vit(stem=convstem.ConvBlock(3, end_siz=8), patch=16)
        # As the robust ViT-S stands in its file.
        model = convstem.normalize_model(model, (0.4, 0.5, 0.6), (0.2, 0.25, 0.3))
        converted = convert(model, "vit_small_convstem", size=(32, 32))
        assert converted.spec.options["stem"] == [3, 6, 12, 24]
        assert converted.spec.mean == pytest.approx((0.4, 0.5, 0.6))
        check(model, converted)


class XCiTTest(parameterized.TestCase):
    def _model(self):
        shape = {"depth": 2, "embed_dim": 32, "num_heads": 4, "tokens_norm": True}
        model = xcit.Xcit(img_size=48, num_classes=5, **shape)
        return randomize(model)

    @parameterized.parameters(("xcit_small_12_p16", 16), ("xcit_medium_12_p4", 4))
    def test_patches(self, name, patch):
        model = self._model()
        if patch == 4:
            model = robust_xcit.adapt_model_patches(model, 4)
        converted = convert(model, name, size=(48, 52) if patch == 16 else (20, 24))
        strides = [2, 2, 2, 2] if patch == 16 else [1, 1, 2, 2]
        expected = {"depth": 2, "width": 32, "heads": 4, "strides": strides}
        assert converted.spec.options == expected
        check(model, converted)

    def test_training_moves_the_statistics_as_pytorch_does(self):
        model, name, size = self._model(), "xcit_small_12_p16", (48, 48)
        found = convert(model, name, size=size)
        check_training(model, name, found, size, image_shape=(*size, 3))

    def test_names_of_the_authors(self):
        model = self._model()

        def rename(state):
            for name in [key for key in state if ".attn.q." in key]:
                parts = [state.pop(name.replace(".q.", f".{part}.")) for part in "qkv"]
                state[name.replace(".q.", ".qkv.")] = torch.cat(parts)
            for name in [key for key in state if key.startswith("pos_embed.")]:
                state[name.replace("embed", "embeder", 1)] = state.pop(name)

        name, size = "xcit_small_12_p16", (48, 48)
        renamed = convert(model, name, size=size, change=rename)
        expected = convert(model, name, size=size)
        jax.tree.map(
            np.testing.assert_array_equal, renamed.variables, expected.variables
        )


class SwinTest(parameterized.TestCase):
    shape = {"depths": (2, 2, 1, 1), "embed_dim": 12, "num_heads": (2, 3, 4, 6)}

    def _model(self, size, window):
        return randomize(
            swin_transformer.SwinTransformer(
                img_size=size, window_size=window, num_classes=5, **self.shape
            )
        )

    # Maps of 12, 6, 3 and 2 places: larger than a window, then one window.
    # Maps of 11 x 13, 6 x 7, ...: windows that do not fit, odd sides.
    @parameterized.parameters(((48, 48), 3), ((44, 52), 3), ((28, 44), 7))
    def test_windows(self, size, window):
        model = self._model(size, window)
        converted = convert(model, "swin_tiny", size=size)
        expected = {"depths": [2, 2, 1, 1], "width": 12, "heads": [2, 3, 4, 6]}
        assert converted.spec.options == expected | {
            "window": window,
            "epsilon": "1e-5",
            "sparse": False,
        }
        check(model, converted)

    def test_the_paper_s_own_names(self):
        model = randomize(
            robust_swin.SwinTransformer(
                img_size=96,
                window_size=3,
                num_classes=5,
                norm_layer=functools.partial(torch.nn.LayerNorm, eps=1e-6),
                **self.shape,
            )
        )
        assert "layers.0.blocks.1.attn_mask" in model.state_dict()
        converted = convert(model, "swin_base_mimir", size=(96, 96))
        assert converted.spec.options["epsilon"] == "1e-6"
        check(model, converted)


if __name__ == "__main__":
    absltest.main()
