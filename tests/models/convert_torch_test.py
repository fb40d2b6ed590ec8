"""Conversion without PyTorch, and every way in which a file can fail to fit."""

import hashlib
import pathlib
import pickle
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import parameterized
from safetensors.numpy import save_file

from mspd_jax import models
from mspd_jax.errors import InputError
from tests.models import small_reference

IMAGE = np.random.default_rng(3).random((8, 8, 1), np.float32)
SHAPE = (8, 8, 1)


@pytest.fixture
def no_torch(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)


def convert(path, architecture="small_cnn", image_shape=SHAPE, **options):
    return models.convert_torch(
        path, architecture=architecture, image_shape=image_shape, **options
    )


def refusal(function, *args, **options):
    with pytest.raises(InputError) as caught:
        function(*args, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


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


def test_prefixes_and_counters_are_dropped(tmp_path):
    tensors = small_reference.random_tensors()
    wrapped = {f"module.model.{name}": tensors[name] for name in tensors}
    wrapped["module.bn0.num_batches_tracked"] = np.array([7])
    save_file(tensors, tmp_path / "plain.safetensors")
    save_file(wrapped, tmp_path / "wrapped.safetensors")
    plain = convert(tmp_path / "plain.safetensors")
    assert models.model_hash(plain) == models.model_hash(
        convert(tmp_path / "wrapped.safetensors")
    )


def test_the_same_name_under_two_prefixes_is_refused(tmp_path):
    tensors = small_reference.random_tensors()
    tensors["module.linear.bias"] = tensors["linear.bias"] + 1
    save_file(tensors, tmp_path / "twice.safetensors")
    assert "linear.bias more than once" in refusal(
        convert, tmp_path / "twice.safetensors"
    )


def test_normalization_comes_from_the_flags_then_the_file(tmp_path):
    tensors = small_reference.random_tensors(channels=2)
    tensors["mean"] = np.array([0.25, 0.5], np.float32).reshape(2, 1, 1)
    tensors["std"] = np.array([0.5, 0.75], np.float32).reshape(2, 1, 1)
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
        (dict(mean=(33.3,)), "divide mean and std by 255"),
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


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("model.safetensors", None, "no file"),
        ("model.onnx", b"x", ".safetensors"),
        ("model.safetensors", b"", "no readable safetensors"),
        ("model.safetensors", b"\xff" * 100, "no readable safetensors"),
    ],
)
def test_unreadable_file_is_refused(tmp_path, name, content, expected):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert expected in refusal(convert, tmp_path / name)


def test_torch_file_without_torch_says_what_to_install(tmp_path, no_torch):
    (tmp_path / "model.pt").write_bytes(b"anything")
    assert "pip install 'mspd_jax[torch]'" in refusal(convert, tmp_path / "model.pt")


class Malicious:
    """Pickled, a call that creates a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return pathlib.Path.touch, (self.path,)


@pytest.mark.slow
class TestTorchFiles:
    @pytest.fixture(autouse=True)
    def _torch(self):
        reason = "reading .pt files needs the extra mspd_jax[torch]"
        self.torch = pytest.importorskip("torch", reason=reason)

    def _state(self):
        tensors = small_reference.random_tensors()
        return {name: self.torch.tensor(tensors[name]) for name in tensors}

    @pytest.mark.parametrize("nest", ["state_dict", "model", "net", None])
    @pytest.mark.parametrize("suffix", [".pt", ".pth", ".th"])
    def test_nested_or_not(self, tmp_path, nest, suffix):
        state, path = self._state(), tmp_path / f"model{suffix}"
        self.torch.save({nest: state, "epoch": 3} if nest else state, path)
        model = convert(path)
        expected = small_reference.logits(small_reference.random_tensors(), IMAGE)
        logits = models.predictor(model)(jnp.asarray(IMAGE))
        np.testing.assert_allclose(logits, expected, rtol=1e-5, atol=1e-5)

    def test_half_precision_becomes_float32(self, tmp_path):
        state = {name: tensor.bfloat16() for name, tensor in self._state().items()}
        self.torch.save(state, tmp_path / "model.pt")
        from safetensors.torch import save_file as save_torch_file

        save_torch_file(state, tmp_path / "model.safetensors")
        pair = [convert(tmp_path / f"model.{kind}") for kind in ("pt", "safetensors")]
        assert models.model_hash(pair[0]) == models.model_hash(pair[1])
        assert {leaf.dtype for leaf in jax.tree.leaves(pair[0].variables)} == {
            jnp.dtype("float32")
        }

    @pytest.mark.parametrize("protocol", ["torch", 0, 2, 4])
    def test_code_in_the_file_is_refused_and_does_not_run(self, tmp_path, protocol):
        proof, path = tmp_path / "proof", tmp_path / "model.pt"
        content = self._state() | {"bomb": Malicious(proof)}
        if protocol == "torch":
            self.torch.save(content, path)
        else:
            path.write_bytes(pickle.dumps(Malicious(proof), protocol=protocol))
        assert "is refused" in refusal(convert, path)
        assert not proof.exists()
        assert sorted(tmp_path.iterdir()) == [path]

    @pytest.mark.parametrize(
        ("content", "expected"),
        [([1, 2], "not a state dict"), ({"state_dict": 3}, "a tensor is expected")],
    )
    def test_no_state_dict(self, tmp_path, content, expected):
        self.torch.save(content, tmp_path / "model.pt")
        assert expected in refusal(convert, tmp_path / "model.pt")

    def test_truncated_file(self, tmp_path):
        path = tmp_path / "model.pt"
        self.torch.save(self._state(), path)
        path.write_bytes(path.read_bytes()[:-200])
        assert "is refused" in refusal(convert, path)
