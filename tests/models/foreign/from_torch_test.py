"""PyTorch modules as `predict`: parity in values and gradients, leaves, refusals."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mspd_jax import models
from mspd_jax.errors import InputError

try:
    import torch

    from tests.models.foreign import torch_networks
except ImportError:
    torch = torch_networks = None

pytestmark = [
    pytest.mark.compiling,
    pytest.mark.skipif(torch is None, reason="needs the extra mspd_jax[bridge]"),
]

MEAN, STD = (0.4, 0.5, 0.3), (0.2, 0.3, 0.25)
IMAGES = np.random.default_rng(0).random((3, 17, 14, 3), np.float32)
close = np.testing.assert_allclose


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return torch_networks.randomized(torch_networks.Mixed()).eval()


@pytest.fixture(scope="module")
def predict(network):
    shape = IMAGES.shape[1:]
    return models.from_torch(network, image_shape=shape, mean=MEAN, std=STD)


def in_torch(network, images, directions):
    """Logits [B, K], and gradients [B, H, W, C] of their sums by `directions`."""
    x = torch.tensor(images, requires_grad=True)
    mean, std = torch.tensor(MEAN), torch.tensor(STD)
    logits = network(((x - mean) / std).permute(0, 3, 1, 2))
    (logits * torch.from_numpy(directions)).sum().backward()
    return logits.detach().numpy(), x.grad.numpy()


def test_logits_and_gradients_are_those_of_pytorch(network, predict):
    directions = np.random.default_rng(1).standard_normal((3, 5)).astype(np.float32)
    logits, gradients = in_torch(network, IMAGES, directions)

    def one(predict, image, direction):
        found, pull = jax.vjp(predict, image)
        return found, pull(direction)[0]

    run = jax.jit(jax.vmap(one, in_axes=(None, 0, 0)))
    found = run(predict, IMAGES, directions)
    close(found[0], logits, rtol=1e-4, atol=1e-5)
    close(found[1], gradients, rtol=1e-3, atol=1e-5 * np.abs(gradients).max() + 1e-6)
    # Weights are leaves: other weights need no other program.
    doubled = jax.tree.map(lambda leaf: 2 * leaf, predict)
    other = run(doubled, IMAGES, directions)[0]
    assert run._cache_size() == 1
    assert np.abs(np.asarray(other) - logits).max() > 0.1


def test_the_module_stays_as_it_was_and_later_changes_do_not_matter(network):
    before = {k: v.clone() for k, v in network.state_dict().items()}
    gradients = [p.requires_grad for p in network.parameters()]
    small = torch_networks.Wrapped(torch.tanh).eval()
    predict = models.from_torch(small)  # traced when it meets an image
    image = IMAGES[0, :2, :2]
    want = small(torch.from_numpy(image).permute(2, 0, 1)[None])[0].detach().numpy()
    with torch.no_grad():
        small.head.weight.zero_()
    close(jax.jit(predict)(image), want, rtol=1e-5)
    assert all(torch.equal(v, before[k]) for k, v in network.state_dict().items())
    assert gradients == [p.requires_grad for p in network.parameters()]
    assert all(p.grad is None or p.requires_grad for p in network.parameters())


def test_pytorch_works_as_before(predict):
    assert torch.get_default_dtype() == torch.float32
    assert torch.is_grad_enabled() and torch.backends.mha.get_fastpath_enabled()
    x = torch.ones(3, requires_grad=True)
    (x * x).sum().backward()
    assert x.grad.tolist() == [2, 2, 2]
    assert jax.config.jax_numpy_dtype_promotion == "strict"


def through(change, **options):
    finish = options.pop("finish", lambda y: y)
    module = torch_networks.Wrapped(change, finish).eval()
    return models.from_torch(module, image_shape=(2, 2, 3), **options)


def branch(x):
    return x if x.sum() > 1 else -x


def noisy(x):
    return x + torch.randn_like(x)


def mixing(x):
    return x - x.mean(0, keepdim=True) + x.flip(0)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda: branch, "control flow depends on the values"),
        (lambda: noisy, "draws random numbers"),
        (lambda: mixing, "images of a batch influence each other"),
        (lambda: torch_networks.RoundThrough.apply, "not the derivative"),
        (lambda: lambda x: x.detach() + 0 * x, "not the derivative"),
        (lambda: torch.special.bessel_j0, "no counterpart here: special_bessel_j0"),
        (lambda: lambda x: x[:, :, :1], "cannot be traced"),
    ],
)
def test_refused_for_what_it_does(change, said, capfd):
    with pytest.raises(InputError, match=said) as caught:
        through(change())
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("finish", "said"),
    [
        (lambda y: (y, y), "returns 2 values"),
        (lambda y: y[0], r"returns \(3,\)"),
        (lambda y: y.argmax(1, keepdim=True), r"logits \[1, K\]"),
    ],
)
def test_refused_for_what_it_returns(finish, said):
    with pytest.raises(InputError, match=said):
        through(lambda x: x, finish=finish)


def test_refused_for_what_it_is():
    small = torch_networks.Wrapped(torch.tanh)
    for module, said in [
        (small, r"training mode \(itself, 2 in all\)"),
        (torch_networks.Counting().eval(), "changes in a call: calls"),
        (torch.nn.BatchNorm2d(3, track_running_stats=False).eval(), "of the batch"),
        (torch_networks.Wrapped(torch.tanh).double().eval(), "float64"),
        ("resnet18", "takes a torch.nn.Module, not a str"),
    ]:
        with pytest.raises(InputError, match=said):
            models.from_torch(module, image_shape=(2, 2, 3))
    assert small.training
    predict = through(torch.tanh)
    with pytest.raises(InputError, match=r"shape \(4, 4, 3\).* reads 2x2x3"):
        predict(jnp.zeros((4, 4, 3)))
    for mean, std in [((0.5,), None), ((0.5,), (0.5,)), ((124.0,) * 3, (60.0,) * 3)]:
        with pytest.raises(InputError, match="`mean`"):
            through(torch.tanh, mean=mean, std=std)


def test_unchecked_it_has_the_true_derivative():
    predict = through(torch_networks.RoundThrough.apply, check=False)
    gradient = jax.grad(lambda x: predict(x).sum())(jnp.full((2, 2, 3), 0.3))
    close(gradient, np.zeros((2, 2, 3)))
    assert math.isfinite(float(predict(jnp.full((2, 2, 3), 0.3)).sum()))
