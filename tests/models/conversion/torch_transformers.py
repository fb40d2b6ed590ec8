"""Models of timm as references: random weights, logits and gradients, conversion."""

import pathlib
import tempfile

import jax
import jax.numpy as jnp
import numpy as np
import torch

from mspd_jax import models
from tests.models.networks.imagenet_networks import assert_close, images_of


def randomize(model, seed=0):
    """Weights and statistics far from neutral, that keep the scale of activations."""
    generator = torch.Generator().manual_seed(seed)

    def uniform(tensor, low, high):
        tensor.copy_(torch.rand(tensor.shape, generator=generator) * (high - low) + low)

    with torch.no_grad():
        state = getattr(model, "model", model).state_dict()
        for name, tensor in state.items():
            leaf = name.rsplit(".", 1)[-1]
            if not tensor.is_floating_point() or leaf == "attn_mask":
                continue
            if leaf == "weight" and tensor.ndim > 1:
                spread = (3 / tensor[0].numel()) ** 0.5
                uniform(tensor, -spread, spread)
            elif leaf in ("weight", "running_var", "temperature") or "gamma" in leaf:
                uniform(tensor, 0.5, 1.5)
            else:
                uniform(tensor, -0.5, 0.5)
    return model.eval()


def convert(model, name, *, size, change=lambda state: None):
    """Our model of a state dict that was written to a file, and read again."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "model.pt")
        state = model.state_dict()
        change(state)
        torch.save(state, path)
        return models.convert_torch(path, architecture=name, image_shape=(*size, 3))


def check(model, converted):
    """Logits and input gradients are those of `model`, within 1e-4 of the largest.

    A `model` that does not normalize its images itself is shown normalized ones.
    """
    height, width, _ = converted.spec.image_shape
    # Two of them: for one, PyTorch 2.13 gives a wrong gradient of an XCiT, as its own
    # finite differences in float64 tell.
    images = images_of(2, (height, width))
    # Noise alone looks the same to a network that averages.
    images[0] *= np.linspace(0, 1, width, dtype=np.float32)[:, None]
    images[1] *= np.linspace(1, 0, height, dtype=np.float32)[:, None, None]
    x = torch.tensor(images).permute(0, 3, 1, 2).contiguous().requires_grad_()
    mean, std = (
        torch.tensor(values).view(3, 1, 1)
        for values in (converted.spec.mean, converted.spec.std)
    )
    expected = model(x if hasattr(model, "normalize") else (x - mean) / std)
    expected.square().sum().backward()

    @jax.jit
    def compute(predict, images):
        logits, pull = jax.vjp(jax.vmap(predict), images)
        return logits, pull(2 * logits)[0]

    logits, gradient = compute(models.predictor(converted), jnp.asarray(images))
    assert_close(logits, expected.detach().numpy())
    assert_close(gradient, x.grad.permute(0, 2, 3, 1).numpy())
    # No test of anything where all images look the same.
    assert np.ptp(np.asarray(logits), axis=0).max() > 0.01 * np.abs(logits).max()
