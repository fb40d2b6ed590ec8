"""How many images go through a network at once."""

import jax

# Pixels per pass. On CPUs a pass of 40 images of 32x32 stays in the cache
# (benchmarks/mspd.py, benchmarks/smoothing.py); accelerators want many more, as far as
# memory goes: a float32 ResNet-18 keeps 3 KiB per pixel.
_PIXELS = {True: 40 * 32**2, False: 2048 * 32**2}

# Pixels per block. On CPUs one image of 32x32 is within a tenth of the best for a
# ResNet-20, and packs what an evaluation has left without a gap; where the weights are
# more than caches hold, a block of eight reads them an eighth as often, and is twice as
# fast (a PreAct ResNet-18; results/rounding).
_SMALL, _LARGE, _ACCELERATOR = 32**2, 8 * 32**2, 512 * 32**2
_MANY_WEIGHTS = 2**20


def images_per_pass(image_shape: tuple[int, int, int], *, batch_size: int = 1) -> int:
    """Noisy copies of each of `batch_size` images, as many as the device likes."""
    pixels = _PIXELS[jax.default_backend() == "cpu"]
    return max(1, pixels // (batch_size * image_shape[0] * image_shape[1]))


def images_per_block(
    image_shape: tuple[int, int, int], *, weights: int, draws: int = 1
) -> int:
    """Images that one program computes, each with so many noisy copies at once.

    weights: how many numbers the network holds.
    """
    pixels = _ACCELERATOR
    if jax.default_backend() == "cpu":
        pixels = _LARGE if weights > _MANY_WEIGHTS else _SMALL
    return max(1, pixels // (draws * image_shape[0] * image_shape[1]))
