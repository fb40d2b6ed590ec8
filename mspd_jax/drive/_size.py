"""How many images go through a network at once."""

import contextlib
import contextvars
from collections.abc import Iterator

import jax

# Pixels per pass. On CPUs a pass of 40 images of 32x32 stays in the cache
# (benchmarks/mspd.py, benchmarks/smoothing.py); accelerators want many more, as far as
# memory goes: a float32 ResNet-18 keeps 3 KiB per pixel.
_PIXELS = {True: 40 * 32**2, False: 2048 * 32**2}

# Images per block, as far as these are no more pixels. On CPUs one image of 32x32 is
# within a tenth of the best for a ResNet-20, and packs what an evaluation has left
# without a gap; where the weights are more than caches hold, a block of eight reads
# them an eighth as often, and is twice as fast (a PreAct ResNet-18; results/rounding).
# Of 224x224, four images take 0.8 times as long as one by one through a ResNet-50, and
# eight hardly less (results/families).
_SMALL, _LARGE, _ACCELERATOR = (1, 32**2), (8, 4 * 224**2), (2**19, 2**19)
_MANY_WEIGHTS = 2**20

_platform: contextvars.ContextVar[str | None] = contextvars.ContextVar(
    "platform", default=None
)


@contextlib.contextmanager
def sizes_for(platform: str) -> Iterator[None]:
    """Within it, sizes suit this platform (cpu, cuda, tpu), not the one at hand."""
    token = _platform.set(platform)
    try:
        yield
    finally:
        _platform.reset(token)


def _on_cpu() -> bool:
    return (_platform.get() or jax.default_backend()) == "cpu"


def images_per_pass(image_shape: tuple[int, int, int], *, batch_size: int = 1) -> int:
    """Noisy copies of each of `batch_size` images, as many as the device likes."""
    pixels = _PIXELS[_on_cpu()]
    return max(1, pixels // (batch_size * image_shape[0] * image_shape[1]))


def images_per_block(
    image_shape: tuple[int, int, int], *, weights: int, draws: int = 1
) -> int:
    """Images that one program computes, each with so many noisy copies at once.

    weights: how many numbers the network holds.
    """
    most, pixels = _ACCELERATOR
    if _on_cpu():
        most, pixels = _LARGE if weights > _MANY_WEIGHTS else _SMALL
    fitting = pixels // (image_shape[0] * image_shape[1])
    return max(1, min(most, fitting) // draws)
