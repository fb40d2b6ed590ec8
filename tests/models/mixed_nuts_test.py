"""MixedNUTS by hand and against the published mix of the same logits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.tree_util import Partial
from scipy import special, stats

from mspd_jax import models
from mspd_jax.errors import InputError

# As published for CIFAR-100 and CIFAR-10.
CIFAR100 = {
    "scale": 0.6115753843212784,
    "power": 3.571428571428571,
    "shift": -2.142857142857143,
    "weight": 0.9860300534207915,
    "gradient_weight": 0.9706995384302841,
}
CIFAR10 = {
    "scale": 5.0,
    "power": 4.0,
    "shift": -1.1,
    "weight": 0.9987500602493457,
    "gradient_weight": 0.9570535356459247,
}
DRAW = np.random.default_rng(0)


def linear(classes, spread):
    weights = DRAW.normal(0, spread, (12, classes)).astype(np.float32)
    return weights, Partial(lambda w, image: image.ravel() @ w, jnp.asarray(weights))


def by_hand(sure, careful, *, scale, power, shift, weight, gradient_weight):
    """Values, and the mix whose gradient is taken, in float64."""
    sure, careful = np.float64(sure), np.float64(careful)
    top = np.sort(careful)[-250:]
    c = (careful - top.mean()) / np.sqrt(top.var(ddof=1) + 1e-8) + shift
    c = c * stats.norm.cdf(c)
    mapped = special.softmax(scale * np.sign(c) * np.abs(c) ** power)
    hard = np.eye(len(sure))[sure.argmax()]
    soft = 0.9 * special.softmax(careful) + 0.1 * mapped
    smooth = (1 - gradient_weight) * special.softmax(sure) + gradient_weight * soft
    return np.log((1 - weight) * hard + weight * mapped), np.log(smooth)


@pytest.mark.parametrize(("classes", "constants"), [(10, CIFAR10), (300, CIFAR100)])
def test_values_and_gradients_by_hand(classes, constants):
    (one, accurate), (two, robust) = linear(classes, 3.0), linear(classes, 1.0)
    predict = models.mixed_nuts(accurate, robust, **constants)
    images = DRAW.random((4, 2, 2, 3), np.float32)
    direction = DRAW.standard_normal(classes)

    def slope(image, step):
        moved = image.ravel() + step * along
        _, smooth = by_hand(moved @ one, moved @ two, **constants)
        return smooth @ direction

    gradient = jax.jit(jax.grad(lambda x: predict(x) @ direction.astype(np.float32)))
    for image in images:
        flat = np.float64(image.ravel())
        value, _ = by_hand(flat @ one, flat @ two, **constants)
        np.testing.assert_allclose(predict(image), value, rtol=1e-4)
        along = np.eye(12)[3]
        expected = (slope(flat, 1e-5) - slope(flat, -1e-5)) / 2e-5
        np.testing.assert_allclose(gradient(image).ravel()[3], expected, rtol=2e-3)


def test_new_weights_compile_nothing_new():
    count = 0

    @jax.jit
    def logits(predict, image):
        nonlocal count
        count += 1
        return predict(image)

    scaled = [Partial(_of_two, jnp.float32(factor)) for factor in (1, 2)]
    for one in scaled:
        mix = models.mixed_nuts(one, one, **CIFAR10)
        assert len(jax.tree.leaves(mix)) == 2
        logits(mix, jnp.ones((2, 2, 3)))
    assert count == 1


def _of_two(factor, image):
    return factor * jnp.stack([image.sum(), image.max()])


@pytest.mark.parametrize("name", ["weight", "gradient_weight"])
def test_weights_out_of_range(name):
    with pytest.raises(InputError, match=f"`{name}`=1.5: wanted a number between"):
        models.mixed_nuts(_of_two, _of_two, **CIFAR10 | {name: 1.5})


@pytest.mark.compiling
def test_equals_the_published_mix():
    torch = pytest.importorskip("torch", reason="parity needs mspd_jax[torch]")
    from tests.models.conversion import torch_packages

    maps = torch_packages.robustbench("output_maps")
    mixing = torch_packages.robustbench("mixing_net")
    (one, accurate), (two, robust) = linear(10, 3.0), linear(10, 1.0)

    class Linear(torch.nn.Module):
        def __init__(self, weights):
            super().__init__()
            self.weights = torch.nn.Parameter(torch.tensor(weights))

        def forward(self, x):
            return x.permute(0, 2, 3, 1).flatten(1) @ self.weights

    settings = {
        "std_map": maps.HardMaxMap(),
        "rob_map": maps.LNClampPowerScaleMap(scale=5.0, power=4.0, clamp_bias=-1.1),
        "alpha": CIFAR10["weight"],
        "alpha_diffable": CIFAR10["gradient_weight"],
    }
    twin = mixing.NonLinMixedClassifier(Linear(one), Linear(two), settings).eval()
    images = DRAW.random((4, 2, 2, 3), np.float32)
    x = torch.tensor(images).permute(0, 3, 1, 2).requires_grad_()
    with torch.no_grad():
        expected = twin(x)
    _, smooth, _ = twin(x, return_all=True)
    direction = DRAW.standard_normal((4, 10)).astype(np.float32)
    (smooth * torch.tensor(direction)).sum().backward()
    predict = models.mixed_nuts(accurate, robust, **CIFAR10)
    logits, pull = jax.vjp(jax.vmap(predict), images)
    np.testing.assert_allclose(logits, expected, rtol=1e-4)
    gradient = x.grad.permute(0, 2, 3, 1)
    np.testing.assert_allclose(pull(direction)[0], gradient, rtol=1e-3, atol=1e-5)
