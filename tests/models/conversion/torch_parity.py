"""A converted model beside the PyTorch network that it comes from."""

import pathlib
import tempfile

import jax
import jax.numpy as jnp
import numpy as np
import torch

from mspd_jax import models
from tests.models.conversion import torch_twins


def converted(twin, name, *, spell=str, **options):
    """The model of a network's state dict, saved; `spell` changes names in the file."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "twin.pt")
        torch.save({spell(key): t for key, t in twin.state_dict().items()}, path)
        return models.convert_torch(path, architecture=name, **options)


def randomized(make):
    """A network with random weights and statistics, in evaluation mode."""
    torch.manual_seed(0)
    return torch_twins.randomize(make(), seed=2)


def check_parity(twin, model, size, *, normalizes=False):
    """Logits and their gradient in the images are PyTorch's, to float32 rounding.

    PyTorch's are in float64: of a ReLU that rounding opens or closes there would be two
    chances otherwise. normalizes: whether the network has its normalization inside.
    """
    images = np.random.default_rng(1).random((2, *size, 3), np.float32)
    x = torch.tensor(images).double().permute(0, 3, 1, 2).contiguous()
    twin, inner = twin.double(), x.requires_grad_()
    if not normalizes:
        mean, std = (
            torch.tensor(v).view(3, 1, 1) for v in (model.spec.mean, model.spec.std)
        )
        inner = (x - mean) / std
    expected = twin(inner)
    expected.square().sum().backward()

    @jax.jit
    def compute(predict, images):
        logits, pull = jax.vjp(jax.vmap(predict), images)
        return logits, pull(2 * logits)[0]

    logits, gradient = compute(models.predictor(model), jnp.asarray(images))
    assert_close(logits, expected.detach().numpy())
    assert_close(gradient, x.grad.permute(0, 2, 3, 1).numpy())


def check_training(twin, name, model, size):
    """Logits in training mode, and the moments that it leaves, are PyTorch's."""
    images = np.random.default_rng(1).random((8, *size, 3), np.float32)
    x = torch.tensor(images).permute(0, 3, 1, 2).contiguous()
    mean, std = (
        torch.tensor(v).view(3, 1, 1) for v in (model.spec.mean, model.spec.std)
    )
    expected = twin.train()((x - mean) / std).detach().numpy()
    logits, stats = jax.jit(
        lambda variables, x: models.train_outputs(model.spec, variables, x)
    )(model.variables, jnp.asarray(images))
    assert_close(logits, expected)
    moved = converted(twin, name).variables["batch_stats"]
    jax.tree.map(assert_close, stats, moved)


def assert_close(actual, expected):
    """Within 1e-4 of the largest value: float32, summed in another order."""
    scale = np.abs(expected).max()
    assert scale > 0
    error = np.abs(np.asarray(actual) - expected).max() / scale
    assert error < 1e-4, error
