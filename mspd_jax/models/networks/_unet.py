"""The U-Nets of diffusion models, which predict the noise in an image.

Of Ho et al. 2020 (arXiv 2006.11239), as google/ddpm-cifar10-32 of diffusers holds it,
and of Nichol and Dhariwal 2021 (arXiv 2102.09672), as improved-diffusion writes it.
"""

import functools
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from flax import linen as nn

from mspd_jax.errors import InputError
from mspd_jax.models.networks._family import (
    DIFFUSION,
    SIGNED,
    Choice,
    Family,
    Flag,
    Number,
    Numbers,
)
from mspd_jax.models.networks._form import Formed
from mspd_jax.models.networks._layers import conv
from mspd_jax.models.networks._noise_schedule import SCHEDULES, NoiseSchedule
from mspd_jax.models.networks._unet_names import (
    DIFFUSERS_NAMES,
    IMPROVED_HEADS,
    current_names,
    diffusers_options,
    improved_names,
    improved_options,
    split_attention,
)
from mspd_jax.models.networks._unet_parts import (
    DDPM_DIALECT,
    IMPROVED_DIALECT,
    Attention,
    Dialect,
    GroupNorm,
    TimedBlock,
    TimeEmbedding,
)


class UNet(Formed):
    """x_t [..., H, W, C] of a diffusion in [-1, 1] and its timestep t [...] -> noise.

        x_t = sqrt(alpha_bar_t) x + sqrt(1 - alpha_bar_t) noise

    On the way down each level has `layers` blocks and halves the map, on the way up one
    block more, each of which also reads what a block (or a halving) of the way down has
    made. Height and width must be multiples of 2^(levels - 1).

    Attributes:
      widths: channels of each level, multiples of `groups` and of `heads`; the first
        one is even and 4 at least.
      layers: blocks of a level.
      attention: the levels, from 0, whose blocks end in attention; the middle does
        always.
      groups: of channels, in each normalization.
      heads: of the attention.
      scale_shift: how the time enters a block, see `TimedBlock`.
      variance: whether the last layer gives variances as well, which are not used.
      schedule, timesteps: what alpha_bar_t is, t = 0, ..., timesteps - 1. The network
        reads 1000 t / timesteps.
    """

    channels: int
    widths: tuple[int, ...]
    layers: int
    attention: tuple[int, ...]
    groups: int
    heads: int
    schedule: NoiseSchedule
    timesteps: int
    scale_shift: bool = False
    variance: bool = False
    dialect: ClassVar[Dialect] = DDPM_DIALECT
    # Every block begins as its shortcut, and the network as zero: see `initialize`.
    zeros: ClassVar[tuple[str, ...]] = ("second", "out", "last")

    def __post_init__(self) -> None:
        levels, wanted = len(self.widths), (self.groups, self.heads)
        if odd := [w for w in self.widths if any(w % number for number in wanted)]:
            raise ValueError(
                f"widths must be multiples of groups {self.groups} and of heads "
                f"{self.heads}, got {odd[0]}"
            )
        if self.widths[0] % 2 or self.widths[0] < 4:
            raise ValueError(f"widths must begin with 4, 6, ..., got {self.widths[0]}")
        if high := [level for level in self.attention if level >= levels]:
            raise ValueError(
                f"attention must name levels from 0 to {levels - 1}, got {high[0]}"
            )
        super().__post_init__()

    @nn.compact
    def __call__(
        self, x: jax.Array, train: bool = False, time: jax.Array | None = None
    ) -> jax.Array:
        del train  # the same in both
        levels = len(self.widths)
        if any(size % 2 ** (levels - 1) for size in x.shape[-3:-1]):
            raise InputError(
                f"images of {x.shape[-3]}x{x.shape[-2]} for a U-Net of {levels} "
                f"levels: height and width must be multiples of {2 ** (levels - 1)}"
            )
        if time is None:
            if not self.is_initializing():
                raise ValueError("a U-Net reads an image and its timestep, `time`")
            time = jnp.zeros(x.shape[:-3])
        time = self._embedded(time, x.dtype)
        x = conv(self.widths[0], use_bias=True, name="first")(x)
        maps = [x]
        for level, width in enumerate(self.widths):
            for turn in range(self.layers):
                x = self._block(x, time, level, name=f"down{level}_{turn}")
                maps.append(x)
            if level + 1 < levels:
                half = functools.partial(conv, strides=2, padding=self.dialect.padding)
                x = half(width, use_bias=True, name=f"down{level}_sample")(x)
                maps.append(x)
        x = self._timed(self.widths[-1], name="middle0")(x, time)
        x = self._attention("middle")(x)
        x = self._timed(self.widths[-1], name="middle1")(x, time)
        for number, level in enumerate(reversed(range(levels))):
            for turn in range(self.layers + 1):
                x = jnp.concatenate([x, maps.pop()], axis=-1)
                x = self._block(x, time, level, name=f"up{number}_{turn}")
            if level > 0:
                doubled = jnp.repeat(jnp.repeat(x, 2, axis=-3), 2, axis=-2)
                name = f"up{number}_sample"
                x = conv(self.widths[level], use_bias=True, name=name)(doubled)
        x = nn.silu(GroupNorm(self.groups, self.dialect.epsilon, name="norm")(x))
        outputs = self.channels * (2 if self.variance else 1)
        x = conv(outputs, use_bias=True, name="last")(x)
        return x[..., : self.channels]

    @nn.nowrap
    def _embedded(self, time, dtype):
        time = time.astype(jnp.float32) * (1000.0 / self.timesteps)
        fields = self.widths[0], self.dialect, dtype
        return TimeEmbedding(*fields, name="time")(time)

    @nn.nowrap
    def _block(self, x, time, level, *, name):
        x = self._timed(self.widths[level], name=name)(x, time)
        return self._attention(name)(x) if level in self.attention else x

    @nn.nowrap
    def _timed(self, features, *, name):
        fields = self.groups, self.dialect.epsilon, self.scale_shift
        return TimedBlock(features, *fields, name=name)

    @nn.nowrap
    def _attention(self, name):
        fields = self.groups, self.dialect.epsilon, self.heads
        return Attention(*fields, name=f"{name}_attention")


class ImprovedUNet(UNet):
    """The same of Nichol and Dhariwal 2021, which differs in its `Dialect`."""

    dialect: ClassVar[Dialect] = IMPROVED_DIALECT


def _options(schedule: str, *, timesteps: int, heads: int, **more: Any) -> dict:
    return {
        "widths": Numbers((128, 256, 256, 256)),
        "groups": Number(32),
        "heads": Number(heads),
        "schedule": Choice(schedule, SCHEDULES),
        "timesteps": Number(timesteps, least=2),
        **more,
    }


DDPM = Family(
    names="ddpm",
    pattern="ddpm",
    network=UNet,
    options=_options(
        "linear",
        timesteps=1000,
        heads=1,
        layers=Number(2),
        attention=Numbers((1,), least=0, empty=True),
    ),
    normalization=SIGNED,
    kind=DIFFUSION,
    torch_names=DIFFUSERS_NAMES,
    canonical=current_names,
    options_in=diffusers_options,
)
# As published for CIFAR-10: cosine, 4000 timesteps, 4 heads.
IMPROVED_DDPM = Family(
    names="improved_ddpm",
    pattern="improved_ddpm",
    network=ImprovedUNet,
    options=_options(
        "cosine",
        timesteps=4000,
        heads=IMPROVED_HEADS,
        layers=Number(3),
        attention=Numbers((1, 2), least=0, empty=True),
        scale_shift=Flag(True),
        variance=Flag(False),
    ),
    normalization=SIGNED,
    kind=DIFFUSION,
    torch_names=improved_names,
    canonical=split_attention,
    options_in=improved_options,
)
