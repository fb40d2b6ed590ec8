"""MemNet: a denoiser whose late layers see all early ones (Tai et al. 2017, arXiv
1708.02209), in the form that denoised smoothing uses."""

import jax
import jax.numpy as jnp
from flax import linen as nn

from mspd_jax.models._layers import SYMMETRIC_PADDING, Norm, conv


class NormConv(nn.Module):
    """conv(relu(norm(x)))."""

    features: int
    kernel: int = 3
    axis_name: str | None = None
    folded: bool = False

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        x = nn.relu(Norm(self.axis_name, self.folded, name="before")(x, train))
        padding = SYMMETRIC_PADDING if self.kernel == 3 else "VALID"
        shape = dict(kernel=self.kernel, padding=padding)
        return conv(self.features, **shape, name="conv")(x)


class MemNet(nn.Module):
    """x + net(x), with `blocks` memory blocks of `recursions` residual blocks each.

    A memory block ends in a gate, a 1x1 convolution over what its residual blocks and
    all memory blocks before it have given. Images [..., H, W, C] -> the same shape.

    Deviation from the paper, as in the public PyTorch version that denoised smoothing
    trains: residual blocks do not share weights, and one output is reconstructed.
    """

    blocks: int
    recursions: int
    width: int
    channels: int
    axis_name: str | None = None
    folded: bool = False

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        form = dict(axis_name=self.axis_name, folded=self.folded)
        y = NormConv(self.width, **form, name="extract")(x, train)
        memories = [y]
        for block in range(self.blocks):
            short = []
            for turn in range(self.recursions):
                name = f"block{block}_{turn}"
                z = NormConv(self.width, **form, name=f"{name}_first")(y, train)
                y = y + NormConv(self.width, **form, name=f"{name}_second")(z, train)
                short.append(y)
            seen = jnp.concatenate(short + memories, axis=-1)
            gate = NormConv(self.width, 1, **form, name=f"block{block}_gate")
            y = gate(seen, train)
            memories.append(y)
        return x + NormConv(self.channels, **form, name="reconstruct")(y, train)
