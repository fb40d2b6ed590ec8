"""How many images go through a network at once."""

import contextlib
import contextvars
from collections.abc import Iterator

import jax

# Pixels per pass. On CPUs a pass of 40 images of 32x32 stays in the cache
# (benchmarks/mspd.py, benchmarks/smoothing.py); accelerators want many more, as far as
# memory goes: a float32 ResNet-18 keeps 3 KiB per pixel.
_PIXELS = {True: 40 * 32**2, False: 2048 * 32**2}

# Pixels per block. On CPUs one image of 32x32 is within a tenth of the best for a
# ResNet-20, and packs what an evaluation has left without a gap; where the weights are
# more than caches hold, a block of eight reads them an eighth as often, and is twice as
# fast (a PreAct ResNet-18; results/rounding). Of 224x224, four images take 0.8 times as
# long as one by one through a ResNet-50, and eight hardly less (results/families): so
# larger images come up to eight at a time, as far as they are no more pixels than that.
_SMALL, _LARGE, _ACCELERATOR = 32**2, 8 * 32**2, 512 * 32**2
_FEW, _LARGER = 8, 4 * 224**2
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
    area = image_shape[0] * image_shape[1]
    fitting = _ACCELERATOR // area
    if _on_cpu():
        fitting = _SMALL // area
        if weights > _MANY_WEIGHTS:
            fitting = max(_LARGE // area, min(_FEW, _LARGER // area))
    return max(1, fitting // draws)
