"""Real robust networks of others: as PyTorch computes them, clean and under attack."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mspd_jax import attacks, data, models

try:
    import torch
    from torch import nn

    from tests.models.conversion.torch_external import twin
except ImportError:
    torch = nn = twin = None

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(torch is None, reason="parity needs the extra mspd_jax[torch]"),
]

COUNT, STEPS = 128, 20
FILES = {
    "cifar_base.pth": "oval_base",
    "cifar_cnn_a_adv.model": "cifar_cnn_a",
    "cifar_cnn_a_adv4.model": "cifar_cnn_a",
    "cifar_conv_small_pgd.pth": "cifar_conv_small_pgd",
    "cifar_deep.pth": "oval_deep",
    "cifar_wide.pth": "oval_wide",
    "resnet2b.pth": "resnet2b",
    "resnet4b.pth": "resnet4b",
}


# Of the same kind as another one that is tested.
ALIKE = ("cifar_base.pth", "cifar_cnn_a_adv4.model", "cifar_wide.pth", "resnet2b.pth")


@functools.cache
def examples(folder):
    source = data.open_source("tfds:cifar10_subset:test", data_dir=folder, limit=COUNT)
    records = [source.read(index) for index in range(COUNT)]
    return (
        np.stack([record.image for record in records]),
        np.array([record.label for record in records], np.int32),
    )


def torch_pgd(network, images, labels, start, eps):
    """Signs of gradients of the cross-entropy, within the ball and the box."""
    x0 = torch.tensor(images).permute(0, 3, 1, 2)
    x, y = torch.tensor(start).permute(0, 3, 1, 2), torch.tensor(labels).long()
    for _ in range(STEPS):
        x = x.detach().requires_grad_()
        nn.functional.cross_entropy(network(x), y, reduction="sum").backward()
        x = x.detach() + eps / 4 * x.grad.sign()
        x = torch.clamp(torch.clamp(x, x0 - eps, x0 + eps), 0, 1)
    return x


def jax_pgd(predict, images, labels, keys, eps, **steps):
    def attack(key, image, label):
        budget = {"eps": eps, "norm": "linf"} | steps
        return attacks.pgd(key, predict, image, label, **budget).image

    return np.asarray(jax.jit(jax.vmap(attack))(keys, images, labels))


@pytest.mark.parametrize(
    "file",
    [
        pytest.param(file, marks=[pytest.mark.release] if file in ALIKE else [])
        for file in FILES
    ],
)
def test_accuracies_equal_pytorch_to_the_image(shared, file):
    path = shared / "weights" / "external" / file
    row = models.find_published(FILES[file])
    network = twin(path, row)
    predict = models.predictor(models.convert_published(path, row.name))
    images, labels = examples(str(shared / "data"))
    classes = jax.jit(lambda x: jnp.argmax(jax.vmap(predict)(x), axis=-1))

    def torch_classes(x):
        with torch.no_grad():
            return network(x).argmax(-1).numpy()

    x = torch.tensor(images).permute(0, 3, 1, 2)
    np.testing.assert_array_equal(classes(images), torch_classes(x))
    keys = jax.random.split(jax.random.key(0), COUNT)
    for eps in (2 / 255, 8 / 255):
        # A step of no length shows where it starts.
        start = jax_pgd(predict, images, labels, keys, eps, steps=1, step_size=1e-12)
        assert np.abs(start - images).max() > 0.9 * eps
        budget = {"steps": STEPS, "step_size": eps / 4}
        ours = jax_pgd(predict, images, labels, keys, eps, **budget)
        theirs = torch_pgd(network, images, labels, start, eps)
        np.testing.assert_array_equal(
            np.asarray(classes(ours)) == labels, torch_classes(theirs) == labels
        )
