"""Converting from research code."""

import numpy as np
import pytest
from safetensors.numpy import save_file

from mspd_jax import jobs, models
from mspd_jax.errors import InputError
from tests.models.conversion.small_reference import random_tensors


@pytest.fixture
def file(tmp_path):
    """A small_cnn with one layer, as safetensors."""
    tensors = {
        "conv0.weight": np.ones((4, 1, 3, 3), np.float32),
        "conv0.bias": np.zeros(4, np.float32),
        "linear.weight": np.ones((3, 4), np.float32),
        "linear.bias": np.zeros(3, np.float32),
    }
    save_file(tensors, tmp_path / "net.safetensors")
    return tmp_path / "net.safetensors"


def test_numbers_may_be_a_text_or_numbers(file, tmp_path):
    fields = {"torch": str(file), "arch": "small_cnn"}
    made = jobs.Convert(**fields, image_shape="8,8,1", mean="0.25", std="0.5")
    made = made.run(tmp_path / "text")
    again = jobs.Convert(**fields, image_shape=(8, 8, 1), mean=(0.25,), std=(0.5,))
    again = again.run(tmp_path / "numbers")
    assert (
        made.digest
        == again.digest
        == models.model_hash(models.load_model(tmp_path / "text"))
    )
    assert made.spec.mean == (0.25,) and made.spec.image_shape == (8, 8, 1)
    assert made.parameters == 4 * 9 + 4 + 3 * 4 + 3


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, "`arch` or `model` is required"),
        ({"model": "resnet2b", "mean": "0,0,0"}, "`mean` does not go with `model`"),
        ({"model": "resnet2b", "arch": "resnet20"}, "`arch` does not go with `model`"),
        ({"model": "resnet2b"}, "is not the published cifar10/Linf/resnet2b"),
        ({"arch": "plain_cnn", "arch_options": "[2]"}, "expected a JSON object"),
    ],
)
def test_a_published_model_or_an_architecture(file, tmp_path, fields, expected):
    with pytest.raises(InputError, match=expected):
        jobs.Convert(torch=str(file), **fields).run(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_options_that_the_file_does_not_tell(tmp_path):
    tensors = {
        "0.weight": np.ones((2, 1, 3, 3), np.float32),
        "0.bias": np.zeros(2, np.float32),
        "3.weight": np.ones((3, 2 * 2 * 2), np.float32),
        "3.bias": np.zeros(3, np.float32),
    }
    save_file(tensors, tmp_path / "net.safetensors")
    job = jobs.Convert(
        torch=str(tmp_path / "net.safetensors"),
        arch="plain_cnn",
        arch_options='{"strides": [2], "paddings": [0]}',
        image_shape="6,6,1",
    )
    assert job.run(tmp_path / "out").spec.options == {
        "channels": [2],
        "kernels": [3],
        "strides": [2],
        "paddings": [0],
        "dense": [],
    }


def test_what_is_no_number_is_refused(file, tmp_path):
    job = jobs.Convert(torch=str(file), arch="small_cnn", image_shape="8x8x1")
    with pytest.raises(InputError, match="`image_shape`=8x8x1: expected numbers"):
        job.run(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_files_of_an_ensemble_stand_in_a_text_or_a_list(tmp_path):
    files = [str(tmp_path / name) for name in ("a.safetensors", "b.safetensors")]
    for seed, name in enumerate(files):
        save_file(random_tensors(seed=seed), name)
    fields = {"arch": "ensemble2_small_cnn", "image_shape": "8,8,1"}
    made = [
        jobs.Convert(torch=given, **fields).run(tmp_path / f"out{number}")
        for number, given in enumerate((",".join(files), files))
    ]
    assert made[0].digest == made[1].digest
    assert made[0].spec.architecture == "ensemble2_small_cnn"
    one = jobs.Convert(torch=files[0], arch="small_cnn", image_shape="8,8,1")
    assert made[0].parameters == 2 * one.run(tmp_path / "one").parameters


def test_a_comma_in_the_name_of_a_file(tmp_path):
    save_file(random_tensors(), tmp_path / "a,b.safetensors")
    job = jobs.Convert(
        torch=str(tmp_path / "a,b.safetensors"), arch="small_cnn", image_shape="8,8,1"
    )
    assert job.run(tmp_path / "out").spec.origin["source"] == "a,b.safetensors"
