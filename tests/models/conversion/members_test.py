"""Ensembles from several files: NumPy's probabilities, and what are no members."""

import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import save_file
from scipy import special

from mspd_jax import models
from mspd_jax.models.conversion import _convert_published
from tests.models.conversion import small_reference
from tests.models.conversion.small_files import convert, published_row, refusal

IMAGE = np.random.default_rng(3).random((8, 8, 1), np.float32)
NAME = "ensemble2_small_cnn"


def tensors(seed, **sizes):
    return small_reference.random_tensors(seed=seed, **sizes)


@pytest.fixture
def saved(tmp_path):
    """Writes state dicts; their paths."""

    def write(*states):
        paths = [tmp_path / f"m{i}.safetensors" for i in range(len(states))]
        for path, state in zip(paths, states, strict=True):
            save_file(state, path)
        return paths

    return write


def log_mean(*states):
    """NumPy's, in float64."""
    logits = np.stack([small_reference.logits(state, IMAGE) for state in states])
    return np.log(special.softmax(logits, axis=-1).mean(axis=0))


def test_probabilities_are_the_mean_of_numpys(saved):
    states = [tensors(seed) for seed in (0, 1)]
    model = convert(saved(*states), NAME)
    assert np.abs(log_mean(*states) - log_mean(states[0])).max() > 0.1
    logits = models.predictor(model)(jnp.asarray(IMAGE))
    np.testing.assert_allclose(logits, log_mean(*states), rtol=1e-4, atol=1e-5)


def test_origin_names_all_files(saved):
    paths = saved(tensors(0), tensors(1))
    spec = convert(paths, NAME).spec
    assert spec.architecture == NAME
    assert spec.origin["source"] == ["m0.safetensors", "m1.safetensors"]
    digests = [convert(path).spec.origin["sha256"] for path in paths]
    assert spec.origin["sha256"] == digests


def test_a_list_of_one_file_is_that_file(saved):
    paths = saved(tensors(0))
    assert convert(paths).spec == convert(paths[0]).spec


def test_a_normalization_in_the_files_is_shared(saved):
    buffers = {"mean": np.full(1, 0.25, np.float32), "std": np.full(1, 0.5, np.float32)}
    spec = convert(saved(tensors(0) | buffers, tensors(1) | buffers), NAME).spec
    assert (spec.mean, spec.std) == ((0.25,), (0.5,))


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ([tensors(0)], f"{NAME} is converted from 2 files, one for each member, got 1"),
        ([tensors(0), tensors(1), tensors(2)], "one for each member, got 3: "),
        ([tensors(0), tensors(0)], "m0.safetensors are the same weights"),
        ([tensors(0), tensors(1, classes=4)], "their num_classes are 4 and 5"),
        ([tensors(0), tensors(1, widths=(3, 5))], "their options are {'activation'"),
        (
            [tensors(0), tensors(1) | {"mean": np.ones(1), "std": np.ones(1)}],
            "their mean are (1.0,) and (0.0,)",
        ),
        ([tensors(0), tensors(1) | {"x": np.ones(1)}], "m1.safetensors does not fit"),
    ],
)
def test_what_are_no_members_is_refused(saved, states, expected):
    states = [{k: v.astype(np.float32) for k, v in s.items()} for s in states]
    assert expected in refusal(convert, saved(*states), NAME)


def test_one_network_has_one_file(saved):
    line = refusal(convert, saved(tensors(0), tensors(1)), "small_cnn")
    assert "small_cnn is converted from one file, got 2: " in line
    assert line.endswith(" (several make an ensemble2_small_cnn)")
    assert "architecture 'ensemble2_none' does" in refusal(
        convert, [], "ensemble2_none"
    )


@pytest.fixture
def row(monkeypatch):
    """A row of an ensemble of two small networks."""
    rows = [published_row(NAME)]
    monkeypatch.setattr(_convert_published, "find_published", lambda name: rows[-1])
    return rows


def test_a_published_ensemble(saved, row):
    paths = saved(tensors(0, channels=3), tensors(1, channels=3))
    spec = models.convert_published(paths, "small").spec
    assert spec.options == {"activation": "silu", "widths": [3, 4], "norm": True}
    assert (spec.architecture, spec.mean) == (NAME, (0.1, 0.2, 0.3))
    assert spec.origin["published"] == "cifar10/Linf/small"
    line = refusal(models.convert_published, paths[0], "small")
    assert "2 files, one for each member, got 1: " in line
    row.append(row[0]._replace(sha256=(spec.origin["sha256"][0],)))
    line = refusal(models.convert_published, paths, "small")
    assert "m1.safetensors is not the published cifar10/Linf/small" in line
