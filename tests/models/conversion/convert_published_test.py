"""Published models by identifier: what the table says, and real files."""

import numpy as np
import pytest
from safetensors.numpy import save_file

from mspd_jax import models
from mspd_jax.errors import InputError
from mspd_jax.models.conversion import _convert_published
from tests.models.conversion import small_reference
from tests.models.conversion.small_files import published_row

EXTERNAL = {
    "cifar_base.pth": "oval_base",
    "cifar_cnn_a_adv.model": "cifar_cnn_a",
    "cifar_cnn_a_adv4.model": "cifar_cnn_a",
    "cifar_conv_small_pgd.pth": "cifar_conv_small_pgd",
    "cifar_deep.pth": "oval_deep",
    "cifar_wide.pth": "oval_wide",
    "dncnn_color_blind.pth": "kair_dncnn_color_blind",
    "ffdnet_color.pth": "kair_ffdnet_color",
    "resnet2b.pth": "resnet2b",
    "resnet4b.pth": "resnet4b",
}


@pytest.fixture
def row(monkeypatch):
    """A row for a small network, which the table finds under any name."""
    rows = [published_row("small_cnn")]
    monkeypatch.setattr(_convert_published, "find_published", lambda name: rows[-1])
    return rows


@pytest.fixture
def file(tmp_path):
    """Its weights."""
    path = tmp_path / "net.safetensors"
    save_file(small_reference.random_tensors(channels=3), path)
    return path


def test_the_table_says_what_the_file_does_not(file, row):
    spec = models.convert_published(file, "small").spec
    assert spec.options == {"activation": "silu", "widths": [3, 4], "norm": True}
    assert (spec.mean, spec.std) == ((0.1, 0.2, 0.3), (0.5,) * 3)
    assert spec.image_shape == (8, 8, 3)
    assert spec.origin["published"] == "cifar10/Linf/small"


def test_a_normalization_in_the_file_comes_first(file, row):
    tensors = small_reference.random_tensors(channels=3)
    tensors["mu"] = np.full((1, 3, 1, 1), 0.25, np.float32)
    tensors["sigma"] = np.full((1, 3, 1, 1), 0.75, np.float32)
    save_file(tensors, file)
    spec = models.convert_published(file, "small").spec
    assert (spec.mean, spec.std) == ((0.25,) * 3, (0.75,) * 3)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            {"sha256": ("0" * 64,)},
            "is not the published cifar10/Linf/small: its",
        ),
        ({"architecture": ""}, "cannot be converted: there is no architecture here"),
        ({"num_classes": 7}, r"linear.weight \(5, 4\) instead of \(7, 4\)"),
    ],
)
def test_what_does_not_fit_is_refused(file, row, change, expected):
    row.append(row[0]._replace(**change))
    with pytest.raises(InputError, match=expected):
        models.convert_published(file, "small")


@pytest.mark.slow
@pytest.mark.parametrize("name", EXTERNAL)
def test_real_files_fit(shared, name):
    pytest.importorskip("torch", reason="reading it needs the extra mspd_jax[torch]")
    path = shared / "weights" / "external" / name
    model = models.convert_published(path, EXTERNAL[name])
    assert model.spec.origin["published"].endswith(EXTERNAL[name])
