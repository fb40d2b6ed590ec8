"""The conversion job from the shell: one checkpoint, or one line and no file."""

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from mspd_jax import models

ROOT = pathlib.Path(__file__).parents[2]
_WITHOUT_TORCH = """
import runpy, sys
class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name="torch")
sys.meta_path.insert(0, NoTorch())
runpy.run_module("launch.convert", run_name="__main__", alter_sys=True)
"""


def convert(*arguments):
    """Runs the job with no PyTorch to import; returns (exit code, stdout, stderr)."""
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT_TORCH, *arguments],
        env=os.environ | {"JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def file(tmp_path):
    """A small_cnn with one layer, as safetensors."""
    rng = np.random.default_rng(0)
    shapes = {
        "conv0.weight": (4, 1, 3, 3),
        "conv0.bias": (4,),
        "linear.weight": (3, 4),
        "linear.bias": (3,),
    }
    tensors = {n: rng.normal(size=s).astype(np.float32) for n, s in shapes.items()}
    save_file(tensors, tmp_path / "net.safetensors")
    return tmp_path / "net.safetensors"


def test_writes_a_checkpoint_and_one_line(file, tmp_path):
    out = tmp_path / "out"
    code, stdout, stderr = convert(
        f"--torch={file}",
        "--arch=small_cnn",
        f"--out={out}",
        "--image_shape=8,8,1",
        "--mean=0.25",
        "--std=0.5",
        "--activation=silu",
    )
    assert (code, stderr) == (0, "")
    model = models.load_model(out)
    assert model.spec._replace(origin={}) == models.ModelSpec(
        architecture="small_cnn",
        options={"activation": "silu", "widths": [4], "norm": False},
        mean=(0.25,),
        std=(0.5,),
        num_classes=3,
        image_shape=(8, 8, 1),
        origin={},
    )
    assert stdout.count("\n") == 1
    for said in (str(out), "3 classes", "8x8x1", models.model_hash(model)[:16]):
        assert said in stdout


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["--image_shape=8,8,3"], "conv0.weight (4, 1, 3, 3) instead of (4, 3, 3, 3)"),
        (["--image_shape=8x8x1"], "--image_shape=8x8x1: expected numbers"),
        pytest.param(["--mean=a"], "--mean=a: expected", marks=pytest.mark.slow),
        pytest.param(["--arch=vgg"], "use resnet20", marks=pytest.mark.slow),
        pytest.param(["--torch=none.pt"], "no file none.pt", marks=pytest.mark.slow),
        pytest.param(["--tarch=x"], "Unknown command line", marks=pytest.mark.slow),
    ],
)
def test_bad_input_gets_one_line_and_writes_nothing(file, tmp_path, flags, expected):
    out = tmp_path / "out"
    shape = [] if "image_shape" in flags[0] else ["--image_shape=8,8,1"]
    code, stdout, stderr = convert(
        f"--torch={file}", "--arch=small_cnn", f"--out={out}", *shape, *flags
    )
    assert (code, stdout) == (2, "")
    assert stderr.startswith("error: ") and stderr.count("\n") == 1
    assert expected in stderr
    assert sorted(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    ("files", "name", "expected"),
    [
        ("{0}", "Chen2020Adversarial", "from 3 files, one for each member, got 1: "),
        pytest.param(
            "{0},{1}", "", "their num_classes are 4 and 3", marks=pytest.mark.slow
        ),
        pytest.param("{0},{0}", "", "are the same weights", marks=pytest.mark.slow),
        pytest.param("{0},none.pt", "", "no file none.pt", marks=pytest.mark.slow),
    ],
)
def test_what_are_no_members_gets_one_line(file, tmp_path, files, name, expected):
    tensors = {n: np.ones(t.shape, np.float32) for n, t in load_file(file).items()}
    tensors |= {"linear.weight": np.ones((4, 4), np.float32)}
    tensors |= {"linear.bias": np.ones(4, np.float32)}
    other, out = tmp_path / "other.safetensors", tmp_path / "out"
    save_file(tensors, other)
    of = ["--arch=ensemble2_small_cnn", "--image_shape=8,8,1"]
    code, stdout, stderr = convert(
        f"--torch={files.format(file, other)}",
        f"--out={out}",
        *([f"--model={name}"] if name else of),
    )
    assert (code, stdout) == (2, "")
    assert stderr.startswith("error: ") and stderr.count("\n") == 1
    assert expected in stderr
    assert sorted(tmp_path.iterdir()) == sorted([file, other])


def test_the_list_of_published_models():
    code, stdout, stderr = convert("--list", "--dataset=cifar10", "--threat=L2")
    assert (code, stderr) == (0, "")
    first, best, *_, last = stdout.splitlines()
    assert first.split()[:3] == ["model", "clean", "robust"]
    assert best.split()[:3] == ["cifar10/L2/Wang2023Better_WRN-70-16", "95.54", "84.97"]
    assert last.startswith("21 models, of which ")


@pytest.mark.slow
def test_help_shows_the_command():
    code, stdout, _ = convert("--help")
    assert code == 0
    assert "python -m launch.convert --torch=" in stdout
    for name in ("torch", "arch", "out", "mean", "std", "num_classes", "activation"):
        assert f"--{name}:" in stdout
