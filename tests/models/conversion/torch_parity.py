"""A converted model beside the PyTorch network that it comes from."""

import pathlib
import tempfile

import jax
import jax.numpy as jnp
import numpy as np
import torch

from mspd_jax import models
from tests.models.conversion import torch_twins


def converted(twin, name, *, spell=str, change=lambda state: None, **options):
    """The model of a network's state dict, saved.

    spell: changes names in the file. change: what is in it, in place.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "twin.pt")
        state = {spell(key): t for key, t in twin.state_dict().items()}
        change(state)
        torch.save(state, path)
        return models.convert_torch(path, architecture=name, **options)


def randomized(make):
    """A network with random weights and statistics, in evaluation mode."""
    torch.manual_seed(0)
    return torch_twins.randomize(make(), seed=2)


def check_parity(twin, model, size, *, normalizes=False, ramps=False):
    """Results and their gradient in the images are PyTorch's, to float32 rounding.

    PyTorch's are in float64: of a ReLU that rounding opens or closes there would be two
    chances otherwise. normalizes: whether the network has its normalization inside.
    ramps: noise alone looks the same to a network that averages, so that the images
    are darker to one side. (Not for maxima: what is black has many that are equal.)
    """
    images = np.random.default_rng(1).random((2, *size, 3), np.float32)
    if ramps:
        images[0] *= np.linspace(0, 1, size[1], dtype=np.float32)[:, None]
        images[1] *= np.linspace(1, 0, size[0], dtype=np.float32)[:, None, None]
    x = torch.tensor(images).double().permute(0, 3, 1, 2).contiguous().requires_grad_()
    inner = x if normalizes else normalized(x, model.spec)
    expected = twin.double()(inner)
    expected.square().sum().backward()
    restores = models.gives_images(model.spec)
    predict = models.restorer(model) if restores else models.predictor(model)

    @jax.jit
    def compute(predict, images):
        results, pull = jax.vjp(jax.vmap(predict), images)
        return results, pull(2 * results)[0]

    results, gradient = compute(predict, jnp.asarray(images))
    expected = expected.permute(0, 2, 3, 1) if restores else expected
    assert_close(results, expected.detach().numpy())
    assert_close(gradient, x.grad.permute(0, 2, 3, 1).numpy())
    apart = np.ptp(np.asarray(results), axis=0).max()
    assert not ramps or apart > 0.01 * np.abs(results).max()


def check_training(twin, name, model, size, *, normalizes=False, **options):
    """Results in training mode, and the moments that it leaves, are PyTorch's.

    options: of the conversion.
    """
    images = np.random.default_rng(1).random((8, *size, 3), np.float32)
    # With channels last, PyTorch 2.13 crashes on gradients of strided convolutions.
    x = torch.tensor(images).permute(0, 3, 1, 2).contiguous()
    expected = twin.train()(x if normalizes else normalized(x, model.spec))
    expected = expected.permute(0, 2, 3, 1) if expected.ndim == 4 else expected
    results, stats = jax.jit(
        lambda variables, x: models.train_outputs(model.spec, variables, x)
    )(model.variables, jnp.asarray(images))
    assert_close(results, expected.detach().numpy())
    moved = converted(twin, name, **options).variables["batch_stats"]
    jax.tree.map(assert_close, stats, moved)


def normalized(x, spec):
    """NCHW images as a network reads them that does not normalize."""
    mean, std = (
        torch.tensor(v, dtype=x.dtype).view(3, 1, 1) for v in (spec.mean, spec.std)
    )
    return (x - mean) / std


def assert_close(actual, expected):
    """Within 1e-4 of the largest value: float32, summed in another order."""
    scale = np.abs(expected).max()
    assert scale > 0
    error = np.abs(np.asarray(actual) - expected).max() / scale
    assert error < 1e-4, error
