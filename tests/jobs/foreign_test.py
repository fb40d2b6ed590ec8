"""Models named by a place in code or an ONNX file: what is run, hashes, refusals."""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mspd_jax import jobs
from mspd_jax.errors import InputError
from mspd_jax.jobs._values import loaded

MODULE = """
import jax, jax.numpy as jnp
from jax.tree_util import Partial
from mspd_jax import models

def network(weights, image):
    return image.ravel() @ weights

def make():
    return Partial(network, jax.random.normal(jax.random.key({seed}), (64, 10)))

def of_spec():
    spec = models.ModelSpec("small_cnn", dict(widths=[4]), (0.,), (1.,), 10, (8, 8, 1), {{}})
    return models.create_model(jax.random.key(0), spec)

def fails():
    raise OSError("no weights here\\nor there")

def number():
    return 3
"""  # noqa: E501
IMAGE = jnp.asarray(np.random.default_rng(0).random((8, 8, 1)), jnp.float32)


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Writes a module of one's own into the current directory, and forgets it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def write(seed=0, more="", name="own_networks"):
        sys.modules.pop(name, None)
        (tmp_path / f"{name}.py").write_text(MODULE.format(seed=seed) + more)

    write()
    yield write
    sys.modules.pop("own_networks", None)


def test_what_make_returns_is_the_model(own):
    found = loaded("python:own_networks:make")
    weights = jax.random.normal(jax.random.key(0), (64, 10))
    np.testing.assert_allclose(found.predict(IMAGE), IMAGE.ravel() @ weights, rtol=1e-4)
    assert found.name == "python:own_networks:make" and found.model is None
    assert loaded("python:own_networks:of_spec").predict(IMAGE).shape == (10,)


def test_the_hash_sees_weights_and_source(own):
    digests = [loaded("python:own_networks:make").digest]
    assert loaded("python:own_networks:make").digest == digests[0]
    own(seed=1)
    digests.append(loaded("python:own_networks:make").digest)
    own(seed=1, more="# another file\n")
    digests.append(loaded("python:own_networks:make").digest)
    digests.append(loaded("python:own_networks:of_spec").digest)
    assert len(set(digests)) == 4


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("python:own_networks", "accepted is package.module:function"),
        ("python:own_absent:make", "no module 'own_absent'"),
        ("python:own_networks:none", "has no 'none'"),
        ("python:own_networks:fails", "it raised OSError: no weights here$"),
        ("python:own_networks:number", "it returned a int where a function"),
        ("python:own_broken:make", "cannot be imported: SyntaxError"),
        ("absent.onnx", "absent.onnx"),
    ],
)
def test_refused_in_one_line(own, name, said):
    own(more="def (", name="own_broken")
    with pytest.raises(InputError, match=said) as caught:
        loaded(name)
    assert "\n" not in str(caught.value)


def test_an_evaluation_of_such_a_model(own, tmp_path):
    job = jobs.Evaluate(
        target="python:own_networks:make",
        source="digits:test",
        limit=4,
        attack="fgsm",
        eps=0.1,
        check_images=0,
    )
    result = job.run(tmp_path / "out")
    assert result.summary.images == 4
    # What has changed is another model: the run is not gone on with.
    own(seed=1)
    with pytest.raises(InputError):
        job.run(tmp_path / "out")


@pytest.mark.compiling
def test_torch_modules_and_onnx_files(own, tmp_path):
    torch = pytest.importorskip("torch", reason="needs the extra mspd_jax[bridge]")
    onnx = pytest.importorskip("onnx", reason="needs the extra mspd_jax[bridge]")
    own(
        more="""
def in_torch():
    import torch
    torch.manual_seed(0)
    layers = torch.nn.Flatten(), torch.nn.Linear(64, 10)
    return torch.nn.Sequential(*layers).eval()

def training():
    return in_torch().train()
"""
    )
    found = loaded("python:own_networks:in_torch")
    network = sys.modules["own_networks"].in_torch()
    row = torch.from_numpy(np.asarray(IMAGE).reshape(1, 1, 8, 8))
    want = network(row)[0].detach().numpy()
    np.testing.assert_allclose(found.predict(IMAGE), want, rtol=1e-4, atol=1e-5)
    with pytest.raises(InputError, match="make|training.*eval"):
        loaded("python:own_networks:training")
    weight = network[1].weight.detach().numpy()
    helper, floats = onnx.helper, onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["x"], ["f"]),
            helper.make_node("Gemm", ["f", "w"], ["y"], transB=1),
        ],
        "net",
        [helper.make_tensor_value_info("x", floats, [1, 1, 8, 8])],
        [helper.make_tensor_value_info("y", floats, [1, 10])],
        [onnx.numpy_helper.from_array(weight, "w")],
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), "net.onnx")
    for target in ("net.onnx", "python:own_networks:in_torch"):
        job = jobs.Evaluate(
            target=target,
            source="digits:test",
            limit=4,
            attack="pgd-2",
            eps=0.1,
            check_images=0,
        )
        assert job.run(tmp_path / f"out {target[:3]}").summary.images == 4
