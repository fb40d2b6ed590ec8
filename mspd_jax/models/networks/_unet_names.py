"""What files of diffusers and of improved-diffusion call the tensors of a U-Net."""

import re
from collections.abc import Mapping

import numpy as np

from mspd_jax.models.networks._family import Renamings

# The heads of all published networks of improved-diffusion; no tensor tells.
IMPROVED_HEADS = 4

_Tensors = Mapping[str, np.ndarray]

DIFFUSERS_NAMES: Renamings = (
    (r"^(down|up)(\d+)_(\d+)_attention", r"\1_blocks.\2.attentions.\3"),
    (r"^(down|up)(\d+)_(\d+)", r"\1_blocks.\2.resnets.\3"),
    (r"^(down|up)(\d+)_sample", r"\1_blocks.\2.\1samplers.0.conv"),
    (r"^middle_attention", "mid_block.attentions.0"),
    (r"^middle(\d)", r"mid_block.resnets.\1"),
    (r"^time/inner", "time_embedding.linear_1"),
    (r"^time/outer", "time_embedding.linear_2"),
    (r"^first", "conv_in"),
    (r"^norm", "conv_norm_out"),
    (r"^last", "conv_out"),
    (r"/first", ".conv1"),
    (r"/second", ".conv2"),
    (r"/time", ".time_emb_proj"),
    (r"/shortcut", ".conv_shortcut"),
    (r"/norm$", ".group_norm"),
    (r"/query", ".to_q"),
    (r"/key", ".to_k"),
    (r"/value", ".to_v"),
    (r"/out", ".to_out.0"),
)
_EARLIER = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}


def current_names(tensors: _Tensors) -> dict[str, np.ndarray]:
    """The tensors under the names that diffusers gives them since 0.15."""
    pattern = rf"(attentions\.\d+\.)({'|'.join(_EARLIER)})\."
    return {
        re.sub(pattern, lambda found: f"{found[1]}{_EARLIER[found[2]]}.", name): tensor
        for name, tensor in tensors.items()
    }


def diffusers_options(tensors: _Tensors) -> dict:
    """Widths, layers and levels with attention of a file of diffusers."""
    widths = _while_there(tensors, "down_blocks.{}.resnets.0.conv1.weight")
    layers = _while_there(tensors, "down_blocks.0.resnets.{}.conv1.weight")
    inside = "down_blocks.{}.attentions.0.group_norm.weight".format
    attention = [level for level in range(len(widths)) if inside(level) in tensors]
    return {"widths": widths, "layers": len(layers), "attention": attention}


def improved_names(options: dict) -> Renamings:
    """As in improved-diffusion, where blocks are numbered through all levels."""
    turns, levels = options["layers"] + 1, len(options["widths"])

    def down(found: re.Match) -> str:
        return f"input_blocks.{1 + int(found[1]) * turns + int(found[2])}."

    def up(found: re.Match) -> str:
        return f"output_blocks.{int(found[1]) * turns + int(found[2])}."

    def up_sample(found: re.Match) -> str:
        number = int(found[1])
        place = 2 if levels - 1 - number in options["attention"] else 1
        return f"output_blocks.{(number + 1) * turns - 1}.{place}.conv"

    return (
        (r"^down(\d+)_(\d+)_attention", lambda found: down(found) + "1"),
        (r"^down(\d+)_(\d+)", lambda found: down(found) + "0"),
        (
            r"^down(\d+)_sample",
            lambda found: f"input_blocks.{(int(found[1]) + 1) * turns}.0.op",
        ),
        (r"^up(\d+)_(\d+)_attention", lambda found: up(found) + "1"),
        (r"^up(\d+)_(\d+)", lambda found: up(found) + "0"),
        (r"^up(\d+)_sample", up_sample),
        (r"^middle_attention", "middle_block.1"),
        (r"^middle(\d)", lambda found: f"middle_block.{2 * int(found[1])}"),
        (r"^time/inner", "time_embed.0"),
        (r"^time/outer", "time_embed.2"),
        (r"^first", "input_blocks.0.0"),
        (r"^norm", "out.0"),
        (r"^last", "out.2"),
        (r"/norm1", ".in_layers.0"),
        (r"/first", ".in_layers.2"),
        (r"/time", ".emb_layers.1"),
        (r"/norm2", ".out_layers.0"),
        (r"/second", ".out_layers.3"),
        (r"/shortcut", ".skip_connection"),
        (r"/out", ".proj_out"),
    )


def split_attention(tensors: _Tensors) -> dict[str, np.ndarray]:
    """The tensors with `query`, `key` and `value` in place of each `qkv`.

    In the file, each head has its own three, one after the other, in a convolution.
    """
    found: dict[str, np.ndarray] = {}
    for name, tensor in tensors.items():
        if re.search(r"\.(qkv|proj_out)\.weight$", name) and tensor.ndim == 3:
            tensor = tensor[..., 0]
        if ".qkv." not in name or len(tensor) % (3 * IMPROVED_HEADS):
            found[name] = tensor
            continue
        heads = np.reshape(tensor, (IMPROVED_HEADS, 3, -1, *tensor.shape[1:]))
        for number, part in enumerate(("query", "key", "value")):
            own = np.reshape(heads[:, number], (-1, *tensor.shape[1:]))
            found[name.replace(".qkv.", f".{part}.")] = own
    return found


def improved_options(tensors: _Tensors) -> dict:
    """All options of a file of improved-diffusion but its heads and its schedule."""
    for name in ("input_blocks.0.0.weight", "out.2.weight"):
        if name not in tensors:
            raise ValueError(name)
    blocks: list[tuple[int, int, bool]] = []  # level, width, whether with attention
    level, number = 0, 1
    while True:
        name = f"input_blocks.{number}"
        if f"{name}.0.op.weight" in tensors:
            level += 1
        elif (kernel := f"{name}.0.in_layers.2.weight") in tensors:
            attends = f"{name}.1.norm.weight" in tensors
            blocks.append((level, len(tensors[kernel]), attends))
        else:
            break
        number += 1
    time = "input_blocks.1.0.emb_layers.1.weight"
    if not blocks or time not in tensors:
        raise ValueError(time)
    channels = tensors["input_blocks.0.0.weight"].shape[1]
    return {
        "widths": list({level: width for level, width, _ in blocks}.values()),
        "layers": sum(level == 0 for level, *_ in blocks),
        "attention": sorted({level for level, _, attends in blocks if attends}),
        "scale_shift": len(tensors[time]) == 2 * blocks[0][1],
        "variance": len(tensors["out.2.weight"]) == 2 * channels,
    }


def _while_there(tensors: _Tensors, pattern: str) -> list[int]:
    """Outputs of the tensors of this name with 0, 1, ...; ValueError without any."""
    found: list[int] = []
    while (name := pattern.format(len(found))) in tensors:
        found.append(len(tensors[name]))
    if not found:
        raise ValueError(name)
    return found
