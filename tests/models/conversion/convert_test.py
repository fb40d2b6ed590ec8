"""Conversion without PyTorch, and every way in which a file can fail to fit."""

import hashlib
import sys

import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import parameterized
from safetensors.numpy import save_file

from mspd_jax import models
from tests.models.conversion import small_reference
from tests.models.conversion.small_files import convert, refusal

IMAGE = np.random.default_rng(3).random((8, 8, 1), np.float32)


@pytest.fixture
def no_torch(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)


@pytest.mark.parametrize("norm", [True, False])
def test_safetensors_without_torch_give_the_reference_logits(tmp_path, no_torch, norm):
    tensors = small_reference.random_tensors(norm=norm)
    save_file(tensors, tmp_path / "model.safetensors")
    model = convert(tmp_path / "model.safetensors")
    assert model.spec.num_classes == 5
    assert model.spec.options["widths"] == [3, 4]
    assert model.spec.options["norm"] is norm
    logits = models.predictor(model)(jnp.asarray(IMAGE))
    expected = small_reference.logits(tensors, IMAGE)
    np.testing.assert_allclose(logits, expected, rtol=1e-5, atol=1e-5)


def test_origin_names_the_file_and_its_hash(tmp_path):
    path = tmp_path / "model.safetensors"
    save_file(small_reference.random_tensors(), path)
    origin = convert(path).spec.origin
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert origin == {"source": "model.safetensors", "sha256": digest}


@pytest.mark.parametrize("buffers", [("mean", "std"), ("mu", "sigma")])
def test_normalization_comes_from_the_flags_then_the_file(tmp_path, buffers):
    tensors = small_reference.random_tensors(channels=2)
    mean, std = buffers
    tensors[mean] = np.array([0.25, 0.5], np.float32).reshape(2, 1, 1)
    tensors[std] = np.array([0.5, 0.75], np.float32).reshape(2, 1, 1)
    save_file(tensors, tmp_path / "model.safetensors")
    spec = convert(tmp_path / "model.safetensors", image_shape=(8, 8, 2)).spec
    assert (spec.mean, spec.std) == ((0.25, 0.5), (0.5, 0.75))
    spec = convert(
        tmp_path / "model.safetensors", image_shape=(8, 8, 2), mean=(0.1, 0.2)
    ).spec
    assert (spec.mean, spec.std) == ((0.1, 0.2), (0.5, 0.75))


class MisfitTest(parameterized.TestCase):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path):
        self.folder = tmp_path

    def _refusal(self, change, **options):
        tensors = small_reference.random_tensors()
        change(tensors)
        save_file(tensors, self.folder / "model.safetensors")
        return refusal(convert, self.folder / "model.safetensors", **options)

    def test_missing_surplus_and_misshaped_are_all_named(self):
        def change(tensors):
            del tensors["bn1.running_var"], tensors["linear.bias"]
            tensors["stranger"] = np.zeros(3, np.float32)
            tensors["other"] = np.zeros(3, np.float32)
            tensors["bn0.bias"] = np.zeros(9, np.float32)

        message = self._refusal(change)
        self.assertIn("missing: bn1.running_var, linear.bias;", message)
        self.assertIn("surplus: other, stranger;", message)
        self.assertIn("misshaped: bn0.bias (9,) instead of (3,)", message)

    @parameterized.parameters(
        ("bn0.bias", np.full(3, np.nan, np.float32), "not finite numbers: bn0.bias"),
        ("bn0.bias", np.zeros(3, np.int32), "not finite numbers: bn0.bias"),
        ("mean", np.zeros(1, np.float32), "surplus: mean"),
    )
    def test_unusable_tensor_is_named(self, name, value, expected):
        self.assertIn(expected, self._refusal(lambda t: t.update({name: value})))

    @parameterized.parameters(
        (dict(num_classes=4), "linear.weight (5, 4) instead of (4, 4)"),
        (dict(image_shape=(8, 8, 3)), "conv0.weight (3, 1, 3, 3) instead of"),
        (dict(mean=(0.1, 0.2)), "one value for each of the 1 channels"),
        (dict(mean=(33.3,)), "divide `mean` and `std` by 255"),
        (dict(std=(0.0,)), "std must be positive"),
        (dict(image_shape=(8, 8)), "(height, width, channels)"),
        (dict(activation="tanh"), "activation must be one of"),
        (dict(architecture="resnet20", activation="relu"), "one activation"),
        (dict(architecture="resnet20"), "missing: layer1.0.bn1.bias, "),
        (dict(architecture="wide_resnet10_1"), "no classifier logits.weight"),
        (dict(architecture="resnet21"), "resnet20, resnet32"),
    )
    def test_unfit_options_are_refused(self, options, expected):
        self.assertIn(expected, self._refusal(lambda tensors: None, **options))
