"""MemNet: a denoiser whose late layers see all early ones (Tai et al. 2017, arXiv
1708.02209), in the form that denoised smoothing uses."""

import jax
import jax.numpy as jnp
from flax import linen as nn

from mspd_jax.models.networks._family import DENOISER, Family, Number
from mspd_jax.models.networks._form import Formed
from mspd_jax.models.networks._layers import SYMMETRIC_PADDING, Norm, Padding, conv


class NormConv(Formed):
    """conv(relu(norm(x)))."""

    features: int
    kernel: int = 3

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        x = nn.relu(self.part(Norm, name="before")(x, train))
        padding: Padding = SYMMETRIC_PADDING if self.kernel == 3 else "VALID"
        inside = conv(self.features, kernel=self.kernel, padding=padding, name="conv")
        return inside(x)


class MemNet(Formed):
    """x + net(x), with `blocks` memory blocks of `recursions` residual blocks each.

    A memory block ends in a gate, a 1x1 convolution over what its residual blocks and
    all memory blocks before it return. Images [..., H, W, C] -> the same shape.

    Deviation from the paper, as in the public PyTorch version that denoised smoothing
    trains: residual blocks do not share weights, and one output is reconstructed.
    """

    blocks: int
    recursions: int
    width: int
    channels: int

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        y = self.part(NormConv, self.width, name="extract")(x, train)
        memories = [y]
        for block in range(self.blocks):
            short = []
            for turn in range(self.recursions):
                name = f"block{block}_{turn}"
                z = self.part(NormConv, self.width, name=f"{name}_first")(y, train)
                y = y + self.part(NormConv, self.width, name=f"{name}_second")(z, train)
                short.append(y)
            seen = jnp.concatenate(short + memories, axis=-1)
            gate = self.part(NormConv, self.width, 1, name=f"block{block}_gate")
            y = gate(seen, train)
            memories.append(y)
        return x + self.part(NormConv, self.channels, name="reconstruct")(y, train)


# Names as in microsoft/denoised-smoothing.
MEMNET = Family(
    names="memnet",
    pattern="memnet",
    network=MemNet,
    options={"blocks": Number(3), "recursions": Number(6), "width": Number(64)},
    kind=DENOISER,
    torch_names=(
        (r"^block(\d+)_gate", r"dense_memory.\1.gate_unit"),
        (r"^block(\d+)_(\d+)_", r"dense_memory.\1.recursive_unit.\2."),
        (r"first/", "relu_conv1/"),
        (r"second/", "relu_conv2/"),
        (r"^extract", "feature_extractor"),
        (r"^reconstruct", "reconstructor"),
        (r"/before", ".bn"),
        (r"/conv", ".conv"),
    ),
)
