"""A small_cnn in NumPy and SciPy, with PyTorch's names: the reference of fast tests."""

import numpy as np
from scipy import signal


def random_tensors(*, channels=1, widths=(3, 4), classes=5, norm=True, seed=0) -> dict:
    """A state dict, by the names that conversion documents."""
    rng = np.random.default_rng(seed)
    tensors, inputs = {}, channels
    for index, width in enumerate(widths):
        tensors[f"conv{index}.weight"] = rng.normal(size=(width, inputs, 3, 3))
        if norm:
            tensors[f"bn{index}.weight"] = rng.uniform(0.5, 1.5, width)
            tensors[f"bn{index}.bias"] = rng.normal(size=width)
            tensors[f"bn{index}.running_mean"] = rng.normal(size=width)
            tensors[f"bn{index}.running_var"] = rng.uniform(0.5, 2.0, width)
        else:
            tensors[f"conv{index}.bias"] = rng.normal(size=width)
        inputs = width
    tensors["linear.weight"] = rng.normal(size=(classes, inputs))
    tensors["linear.bias"] = rng.normal(size=classes)
    return {name: tensor.astype(np.float32) for name, tensor in tensors.items()}


def convolve(image, kernel, stride):
    """[H, W, C] with [out, C, 3, 3], zeros around; every `stride`-th pixel."""
    planes = [
        sum(
            signal.correlate2d(image[..., c].astype(np.float64), plane[c], mode="same")
            for c in range(image.shape[-1])
        )
        for plane in kernel
    ]
    return np.stack(planes, axis=-1)[::stride, ::stride]


def logits(tensors, image, *, mean=0.0, std=1.0):
    """Logits [K] of one image [H, W, C] in [0, 1]; ReLU, evaluation mode."""
    x, index = (image - mean) / std, 0
    while f"conv{index}.weight" in tensors:
        x = convolve(x, tensors[f"conv{index}.weight"], min(index, 1) + 1)
        if f"bn{index}.weight" in tensors:
            mean_, var = (tensors[f"bn{index}.running_{m}"] for m in ("mean", "var"))
            x = (x - mean_) / np.sqrt(var + 1e-5)
            x = x * tensors[f"bn{index}.weight"] + tensors[f"bn{index}.bias"]
        else:
            x = x + tensors[f"conv{index}.bias"]
        x, index = np.maximum(x, 0), index + 1
    return tensors["linear.weight"] @ x.mean((0, 1)) + tensors["linear.bias"]
