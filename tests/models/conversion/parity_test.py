"""Converted models against PyTorch: random weights of every kind, real ones too."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import absltest, parameterized

from mspd_jax import models

try:
    import torch

    from tests.models.conversion import torch_twins
    from tests.models.conversion.torch_parity import (
        check_parity,
        check_training,
        converted,
        normalized,
        randomized,
    )
except ImportError:
    torch = torch_twins = None

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(torch is None, reason="parity needs the extra mspd_jax[torch]"),
]

MEAN, STD = (0.4, 0.5, 0.3), (0.2, 0.3, 0.25)


def _function(name):
    return {"silu": torch.nn.functional.silu, "relu": torch.relu}[name]


def _twins():
    for depth in (20, 32, 44, 56, 110):
        yield f"resnet{depth}", "", lambda depth=depth: torch_twins.ResNet(depth, 7)
    for name in ("silu", "relu"):
        yield (
            "preact_resnet18",
            name,
            lambda f=name: torch_twins.PreactResNet(7, _function(f), MEAN, STD),
        )
        for depth, width in ((10, 1), (16, 2)):
            yield (
                f"wide_resnet{depth}_{width}",
                name,
                lambda d=depth, w=width, f=name: torch_twins.WideResNet(
                    d, w, 7, _function(f), MEAN, STD
                ),
            )
        for norm in (True, False):
            yield (
                "small_cnn",
                name,
                lambda f=name, norm=norm: torch_twins.SmallCNN(
                    3, (8, 16, 24), 7, _function(f), norm
                ),
            )
    yield "dncnn", "", lambda: torch_twins.DnCNN(5, 8, 3)
    yield "dncnn_wide", "", lambda: torch_twins.DnCNN(17, 128, 3)
    yield "memnet", "", lambda: torch_twins.MemNet(3, 6, 64, 3)


class ParityTest(parameterized.TestCase):
    @parameterized.parameters(*_twins())
    def test_logits_and_gradients_equal_pytorch(self, name, activation, make):
        twin = randomized(make)
        model = converted(twin, name, activation=activation or None)
        check_parity(twin, model, (32, 32), normalizes=_normalizes(twin, model))

    @parameterized.parameters("resnet20", "wide_resnet10_1", "dncnn", "memnet")
    def test_training_mode_equals_pytorch(self, name):
        makers = {name: make for name, _, make in reversed(list(_twins()))}
        twin = randomized(makers[name])
        # No file tells it.
        silu = "silu" if name.startswith("wide") else None
        model = converted(twin, name, activation=silu)
        normalizes = _normalizes(twin, model)
        check_training(twin, name, model, (32, 32), normalizes=normalizes)


def _normalizes(twin, model):
    return hasattr(twin, "mean") or models.gives_images(model.spec)


WEIGHTS = {
    "resnet20": ("resnet20-12fca82f.th", 20),
    "resnet32": ("resnet32-d509ac18.th", 32),
}


@pytest.fixture(scope="module")
def real():
    """Each of the real models, converted once."""
    cache = {}

    def convert(shared, name):
        if name not in cache:
            path = shared / "weights" / WEIGHTS[name][0]
            cache[name] = models.convert_torch(path, architecture=name)
        return cache[name]

    return convert


@pytest.mark.parametrize("name", list(WEIGHTS))
def test_real_weights_equal_pytorch_on_real_images(shared, real, name):
    file, depth = WEIGHTS[name]
    images = np.load(shared / "golden" / "mcgs_resnet20.npz")["image"]
    content = torch.load(shared / "weights" / file, "cpu", weights_only=True)
    state = content["state_dict"]
    twin = torch_twins.ResNet(depth, 10)
    twin.load_state_dict({key.removeprefix("module."): state[key] for key in state})
    model = real(shared, name)
    with torch.no_grad():
        x = normalized(torch.tensor(images).permute(0, 3, 1, 2), model.spec)
        expected = twin.eval()(x)
    logits = jax.jit(jax.vmap(models.predictor(model)))(jnp.asarray(images))
    np.testing.assert_allclose(logits, expected.numpy(), atol=1e-4)


def test_resnet20_gives_the_golden_logits(shared, real):
    golden = np.load(shared / "golden" / "mcgs_resnet20.npz")
    predict = models.predictor(real(shared, "resnet20"))
    logits = jax.jit(jax.vmap(predict))(jnp.asarray(golden["image"]))
    np.testing.assert_allclose(logits, golden["logits"], atol=1e-4)


def test_resnet20_reaches_its_accuracy(shared, real):
    """At least 91 % of the 512 lossless test images (published: 91.7 % of 10,000)."""
    import tensorflow_datasets as tfds

    folder = shared / "data" / "cifar10_subset" / "1.0.0"
    source = tfds.builder_from_directory(str(folder)).as_data_source("test")
    images = np.stack([source[i]["image"] for i in range(512)])
    labels = np.array([source[i]["label"] for i in range(512)])
    predict = jax.jit(jax.vmap(models.predictor(real(shared, "resnet20"))))
    logits = predict(jnp.asarray(images, jnp.float32) / 255)
    assert np.mean(np.argmax(logits, axis=-1) == labels) >= 0.91


if __name__ == "__main__":
    absltest.main()
