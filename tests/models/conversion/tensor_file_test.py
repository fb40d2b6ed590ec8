"""Files of tensors: what is read, and what is refused without running its code."""

import pathlib
import pickle
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import save_file

from mspd_jax import models
from tests.models.conversion import small_reference
from tests.models.conversion.small_files import convert, refusal

IMAGE = np.random.default_rng(3).random((8, 8, 1), np.float32)


@pytest.fixture
def no_torch(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)


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


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("model.safetensors", None, "no file"),
        ("model.onnx", b"x", "safetensors"),
        ("model.safetensors", b"", "is empty"),
        ("model.safetensors", b"\xff" * 100, "of no known kind"),
        ("model.safetensors", b"\x04" + bytes(7) + b"{{}}", "no readable safetensors"),
    ],
)
def test_unreadable_file_is_refused(tmp_path, name, content, expected):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert expected in refusal(convert, tmp_path / name)


def test_torch_file_without_torch_says_what_to_install(tmp_path, no_torch):
    (tmp_path / "model.pt").write_bytes(pickle.dumps({}))
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
        # The oldest protocol is text, which no file of weights is.
        expected = "of no known kind" if protocol == 0 else "is refused"
        assert expected in refusal(convert, path)
        assert not proof.exists()
        assert sorted(tmp_path.iterdir()) == [path]

    @pytest.mark.parametrize(
        ("content", "expected"),
        [([1, 2], "not a state dict"), ({"state_dict": 3}, "a tensor is expected")],
    )
    def test_no_state_dict(self, tmp_path, content, expected):
        self.torch.save(content, tmp_path / "model.pt")
        assert expected in refusal(convert, tmp_path / "model.pt")

    def test_a_list_of_one_state(self, tmp_path):
        self.torch.save({"state_dict": [self._state()]}, tmp_path / "model.pth")
        convert(tmp_path / "model.pth")

    def test_one_of_several_states(self, tmp_path):
        path, other = tmp_path / "model.pth", self._state()
        other["linear.bias"] = other["linear.bias"] + 1
        self.torch.save({"best": self._state(), "last": {"net": other}}, path)
        assert "holds last, best: say which by `state`" in refusal(convert, path)
        bias = convert(path, state="last").variables["params"]["head"]["bias"]
        np.testing.assert_array_equal(bias, other["linear.bias"])
        convert(path, state="best")
        expected = "has no 'worst', it has best, last"
        assert expected in refusal(convert, path, state="worst")

    @pytest.mark.parametrize("zipped", [True, False])
    def test_truncated_file(self, tmp_path, zipped):
        path = tmp_path / "model.pt"
        form = {"_use_new_zipfile_serialization": zipped}
        self.torch.save(self._state(), path, **form)
        path.write_bytes(path.read_bytes()[:-200])
        expected = "is cut off" if zipped else "is refused"
        assert expected in refusal(convert, path)
