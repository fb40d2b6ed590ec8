"""How many noisy images go through a network at once."""

import jax

# Pixels per pass. On CPUs a pass of 40 images of 32x32 stays in the cache
# (benchmarks/mspd.py, benchmarks/smoothing.py); accelerators want many more, as far as
# memory goes: a float32 ResNet-18 keeps 3 KiB per pixel.
_PIXELS = {True: 40 * 32**2, False: 2048 * 32**2}


def images_per_pass(image_shape: tuple[int, int, int], *, batch_size: int = 1) -> int:
    """Noisy copies of each of `batch_size` images, as many as the device likes."""
    pixels = _PIXELS[jax.default_backend() == "cpu"]
    return max(1, pixels // (batch_size * image_shape[0] * image_shape[1]))


# Pixels per block: enough for the small networks of CIFAR-10 on CPUs (eight images: a
# ResNet-20 gains nothing from more, a PreAct ResNet-18 an eighth), and few enough to
# pack what an evaluation has left.
_BLOCK = {True: 8 * 32**2, False: 512 * 32**2}


def images_per_block(image_shape: tuple[int, int, int], *, draws: int = 1) -> int:
    """Images that one program computes, each with so many noisy copies at once."""
    pixels = _BLOCK[jax.default_backend() == "cpu"]
    return max(1, pixels // (draws * image_shape[0] * image_shape[1]))
