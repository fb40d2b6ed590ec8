"""UNet2DModel of diffusers, and its tensors under the names of other files."""

import torch
from diffusers import UNet2DModel

# Of google/ddpm-cifar10-32; the others are diffusers' defaults.
_PUBLISHED = {
    "sample_size": 32,
    "downsample_padding": 0,
    "flip_sin_to_cos": False,
    "freq_shift": 1,
    "norm_eps": 1e-6,
    "attention_head_dim": None,
}
# What improved-diffusion does otherwise, for 64 channels where there is attention.
_IMPROVED = {
    "sample_size": 32,
    "downsample_padding": 1,
    "flip_sin_to_cos": True,
    "freq_shift": 0,
    "norm_eps": 1e-5,
    "attention_head_dim": 16,
    "resnet_time_scale_shift": "scale_shift",
    "attn_norm_num_groups": 32,
}


def unet(widths, layers, attention, *, improved=False):
    """A network with random weights, also where it would begin with zeros."""
    torch.manual_seed(0)
    levels = range(len(widths))
    kinds = ["Attn" if level in attention else "" for level in levels]
    network = UNet2DModel(
        **(_IMPROVED if improved else _PUBLISHED),
        block_out_channels=widths,
        layers_per_block=layers,
        down_block_types=tuple(f"{kind}DownBlock2D" for kind in kinds),
        up_block_types=tuple(f"{kind}UpBlock2D" for kind in reversed(kinds)),
    )
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return network.eval()


def earlier_names(tensors):
    """As diffusers called them before 0.15."""
    parts = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    renamed = {}
    for name, tensor in tensors.items():
        for new, old in parts.items():
            name = name.replace(f".{new}.", f".{old}.")
        renamed[name] = tensor
    return renamed


def improved_tensors(network, heads=4):
    """The state dict that improved-diffusion would write, module by module."""
    found = {}

    def put(name, module):
        for part in ("weight", "bias"):
            found[f"{name}.{part}"] = getattr(module, part).detach()

    def put_block(name, block):
        put(f"{name}.in_layers.0", block.norm1)
        put(f"{name}.in_layers.2", block.conv1)
        put(f"{name}.emb_layers.1", block.time_emb_proj)
        put(f"{name}.out_layers.0", block.norm2)
        put(f"{name}.out_layers.3", block.conv2)
        if block.conv_shortcut is not None:
            put(f"{name}.skip_connection", block.conv_shortcut)

    def put_attention(name, attention):
        put(f"{name}.norm", attention.group_norm)
        parts = (attention.to_q, attention.to_k, attention.to_v)
        for part in ("weight", "bias"):
            own = [getattr(module, part).detach().chunk(heads) for module in parts]
            joined = torch.cat(
                [own[n][head] for head in range(heads) for n in range(3)]
            )
            found[f"{name}.qkv.{part}"] = joined
        found[f"{name}.qkv.weight"] = found[f"{name}.qkv.weight"][..., None]
        put(f"{name}.proj_out", attention.to_out[0])
        found[f"{name}.proj_out.weight"] = found[f"{name}.proj_out.weight"][..., None]

    put("time_embed.0", network.time_embedding.linear_1)
    put("time_embed.2", network.time_embedding.linear_2)
    put("input_blocks.0.0", network.conv_in)
    number = 1
    for stage in network.down_blocks:
        for turn, block in enumerate(stage.resnets):
            put_block(f"input_blocks.{number}.0", block)
            if hasattr(stage, "attentions"):
                put_attention(f"input_blocks.{number}.1", stage.attentions[turn])
            number += 1
        if stage.downsamplers is not None:
            put(f"input_blocks.{number}.0.op", stage.downsamplers[0].conv)
            number += 1
    put_block("middle_block.0", network.mid_block.resnets[0])
    put_attention("middle_block.1", network.mid_block.attentions[0])
    put_block("middle_block.2", network.mid_block.resnets[1])
    number = 0
    for stage in network.up_blocks:
        attends = hasattr(stage, "attentions")
        for turn, block in enumerate(stage.resnets):
            put_block(f"output_blocks.{number}.0", block)
            if attends:
                put_attention(f"output_blocks.{number}.1", stage.attentions[turn])
            number += 1
        if stage.upsamplers is not None:
            place = 2 if attends else 1
            put(f"output_blocks.{number - 1}.{place}.conv", stage.upsamplers[0].conv)
    put("out.0", network.conv_norm_out)
    put("out.2", network.conv_out)
    return found
