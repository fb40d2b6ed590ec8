"""Names of U-Nets in files, and what their tensors tell, without PyTorch."""

import jax
import numpy as np
import pytest

from mspd_jax import models
from mspd_jax.models._initialize import variable_shapes
from mspd_jax.models._spec import input_shape
from mspd_jax.models.conversion._names import layout_of, torch_name
from mspd_jax.models.networks import _unet
from mspd_jax.models.networks._unet_names import current_names, split_attention
from tests.models.noise_by_hand import spec

FAMILIES = {"ddpm": _unet.DDPM, "improved_ddpm": _unet.IMPROVED_DDPM}
OPTIONS = {"widths": [8, 16, 8], "layers": 2, "attention": [0, 2], "heads": 4}


def tensors(name, **options):
    """Zeros of the shapes that a file of such a network has."""
    of = spec(name, channels=3, **OPTIONS | options)
    shapes = variable_shapes(models.build_module(of), input_shape(of))
    found, family = {}, FAMILIES[name]
    for keys, leaf in jax.tree_util.tree_flatten_with_path(shapes)[0]:
        path = tuple(key.key for key in keys)
        shape = layout_of(family, path).shape(leaf.shape)
        zeros = np.broadcast_to(np.float32(0), shape)
        found[torch_name(family, of.options, path)] = zeros
    return found


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("ddpm", {}),
        ("improved_ddpm", {"scale_shift": True, "variance": False}),
        ("improved_ddpm", {"scale_shift": False, "variance": True}),
    ],
)
def test_tensors_tell_the_options(name, more):
    found = FAMILIES[name].options_in(tensors(name, **more))
    told = {key: OPTIONS[key] for key in ("widths", "layers", "attention")}
    assert found == told | more


@pytest.mark.parametrize(
    ("name", "known"),
    [
        (
            "ddpm",
            "conv_in.weight conv_out.bias conv_norm_out.weight "
            "time_embedding.linear_2.bias down_blocks.0.resnets.1.time_emb_proj.weight "
            "down_blocks.1.resnets.0.conv_shortcut.weight "
            "down_blocks.2.attentions.1.to_out.0.bias "
            "down_blocks.1.downsamplers.0.conv.weight "
            "up_blocks.0.upsamplers.0.conv.bias "
            "mid_block.attentions.0.group_norm.weight mid_block.resnets.1.norm2.bias "
            "up_blocks.2.resnets.2.conv1.weight up_blocks.2.attentions.2.to_q.weight",
        ),
        (
            "improved_ddpm",
            "input_blocks.0.0.weight out.0.weight out.2.bias time_embed.2.weight "
            "input_blocks.3.0.op.weight input_blocks.2.0.emb_layers.1.weight "
            "input_blocks.4.0.skip_connection.weight input_blocks.8.1.proj_out.bias "
            "middle_block.0.in_layers.2.weight middle_block.1.norm.bias "
            "middle_block.2.out_layers.3.bias output_blocks.2.2.conv.weight "
            "output_blocks.5.1.conv.weight output_blocks.8.0.out_layers.0.weight",
        ),
    ],
)
def test_names_are_those_of_the_reference(name, known):
    found = tensors(name)
    assert [x for x in known.split() if x not in found] == []


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("ddpm", "down_blocks.0.resnets.0.conv1.weight"),
        ("improved_ddpm", "input_blocks.0.0.weight"),
        ("improved_ddpm", "out.2.weight"),
        ("improved_ddpm", "input_blocks.1.0.in_layers.2.weight"),
    ],
)
def test_what_nothing_can_be_told_without_is_named(name, missing):
    found = tensors(name)
    del found[missing]
    with pytest.raises(ValueError, match="weight"):
        FAMILIES[name].options_in(found)


def test_earlier_names_of_attention_alone_are_renamed():
    old = ["mid_block.attentions.0.query.weight", "x.attentions.1.proj_attn.bias"]
    old += ["conv_in.weight", "key.value.query.bias"]
    new = ["mid_block.attentions.0.to_q.weight", "x.attentions.1.to_out.0.bias"]
    found = current_names(dict.fromkeys(old, np.zeros(1)))
    assert list(found) == new + old[2:]


def test_each_head_keeps_its_own_query_key_and_value():
    # 4 heads of 2 channels: head h has rows 6 h to 6 h + 5, its query first.
    rows = np.arange(24.0)
    file = {"m.qkv.weight": np.stack([rows, -rows], axis=1)[..., None]}
    found = split_attention(file | {"m.qkv.bias": rows})
    assert sorted(name for name in found) == sorted(
        f"m.{part}.{leaf}"
        for part in ("query", "key", "value")
        for leaf in ("weight", "bias")
    )
    key = [2, 3, 8, 9, 14, 15, 20, 21]
    np.testing.assert_array_equal(found["m.key.bias"], key)
    np.testing.assert_array_equal(found["m.key.weight"][:, 1], np.negative(key))
    np.testing.assert_array_equal(found["m.query.bias"][:3], [0, 1, 6])
    odd = {"m.qkv.bias": np.zeros(7)}
    assert list(split_attention(odd)) == ["m.qkv.bias"]  # is refused by its name
