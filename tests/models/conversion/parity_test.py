"""Converted models against PyTorch: random weights of every kind, real ones too."""

import pathlib
import tempfile

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import absltest, parameterized

from mspd_jax import models

try:
    import torch

    from tests.models.conversion import torch_twins
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


def _images(count=4):
    return np.random.default_rng(1).random((count, 32, 32, 3), np.float32)


def _twin_logits(twin, name, images):
    """Logits of a twin on NHWC images (of a denoiser: NHWC images as well); the twins
    without buffers get normalized."""
    x = torch.tensor(images).permute(0, 3, 1, 2).requires_grad_()
    inner = x
    if not hasattr(twin, "mean"):
        mean, std = models.default_normalization(name, 3)
        inner = (x - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)
    out = twin(inner)
    return x, out.permute(0, 2, 3, 1) if out.ndim == 4 else out


class ParityTest(parameterized.TestCase):
    def _convert(self, twin, name, activation):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "twin.pt")
            torch.save(twin.state_dict(), path)
            return models.convert_torch(
                path, architecture=name, activation=activation or None
            )

    @parameterized.parameters(*_twins())
    def test_logits_and_gradients_equal_pytorch(self, name, activation, make):
        torch.manual_seed(0)
        twin = torch_twins.randomize(make(), seed=2)
        model = self._convert(twin, name, activation)
        images = _images()
        x, expected = _twin_logits(twin, name, images)
        expected.square().sum().backward()

        @jax.jit
        def compute(predict, images):
            logits, pull = jax.vjp(jax.vmap(predict), images)
            return logits, pull(2 * logits)[0]

        restores = models.gives_images(model.spec)
        function = models.restorer(model) if restores else models.predictor(model)
        logits, gradient = compute(function, jnp.asarray(images))
        self._assert_close(logits, expected.detach().numpy())
        self._assert_close(gradient, x.grad.permute(0, 2, 3, 1).numpy())

    @parameterized.parameters("resnet20", "wide_resnet10_1", "dncnn", "memnet")
    def test_training_mode_equals_pytorch(self, name):
        makers = {name: make for name, _, make in reversed(list(_twins()))}
        torch.manual_seed(0)
        twin = torch_twins.randomize(makers[name](), seed=2)
        model = self._convert(twin, name, "silu" if name.startswith("wide") else None)
        twin.train()
        images = _images(16)
        _, expected = _twin_logits(twin, name, images)
        logits, stats = models.train_outputs(
            model.spec, model.variables, jnp.asarray(images)
        )
        self._assert_close(logits, expected.detach().numpy())
        moved = self._convert(twin, name, None).variables["batch_stats"]
        jax.tree.map(self._assert_close, stats, moved)

    def _assert_close(self, actual, expected):
        """Within 1e-4 of the largest value: float32, summed in another order."""
        scale = np.abs(expected).max()
        self.assertGreater(scale, 0)
        np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-4 * scale)


WEIGHTS = {
    "resnet20": ("resnet20-12fca82f.th", 20),
    "resnet32": ("resnet32-d509ac18.th", 32),
}


@pytest.fixture(scope="module")
def converted():
    """Each of the real models, converted once."""
    cache = {}

    def convert(shared, name):
        if name not in cache:
            path = shared / "weights" / WEIGHTS[name][0]
            cache[name] = models.convert_torch(path, architecture=name)
        return cache[name]

    return convert


@pytest.mark.parametrize("name", list(WEIGHTS))
def test_real_weights_equal_pytorch_on_real_images(shared, converted, name):
    file, depth = WEIGHTS[name]
    images = np.load(shared / "golden" / "mcgs_resnet20.npz")["image"]
    content = torch.load(shared / "weights" / file, "cpu", weights_only=True)
    state = content["state_dict"]
    twin = torch_twins.ResNet(depth, 10)
    twin.load_state_dict({key.removeprefix("module."): state[key] for key in state})
    with torch.no_grad():
        _, expected = _twin_logits(twin.eval(), name, images)
    predict = models.predictor(converted(shared, name))
    logits = jax.jit(jax.vmap(predict))(jnp.asarray(images))
    np.testing.assert_allclose(logits, expected.numpy(), atol=1e-4)


def test_resnet20_gives_the_golden_logits(shared, converted):
    golden = np.load(shared / "golden" / "mcgs_resnet20.npz")
    predict = models.predictor(converted(shared, "resnet20"))
    logits = jax.jit(jax.vmap(predict))(jnp.asarray(golden["image"]))
    np.testing.assert_allclose(logits, golden["logits"], atol=1e-4)


def test_resnet20_reaches_its_accuracy(shared, converted):
    """At least 91 % of the 512 lossless test images (published: 91.7 % of 10,000)."""
    import tensorflow_datasets as tfds

    folder = shared / "data" / "cifar10_subset" / "1.0.0"
    source = tfds.builder_from_directory(str(folder)).as_data_source("test")
    images = np.stack([source[i]["image"] for i in range(512)])
    labels = np.array([source[i]["label"] for i in range(512)])
    predict = jax.jit(jax.vmap(models.predictor(converted(shared, "resnet20"))))
    logits = predict(jnp.asarray(images, jnp.float32) / 255)
    assert np.mean(np.argmax(logits, axis=-1) == labels) >= 0.91


if __name__ == "__main__":
    absltest.main()
