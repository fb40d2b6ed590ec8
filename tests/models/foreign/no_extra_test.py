"""Without PyTorch and onnx: one line that says what to install."""

import sys

import pytest

from mspd_jax import models
from mspd_jax.errors import InputError


def test_the_extra_is_named(tmp_path, monkeypatch):
    for name in ("torch", "onnx"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(InputError, match=r"needs PyTorch: pip install .*\[bridge\]"):
        models.from_torch(object())
    with pytest.raises(InputError, match=r"needs the package onnx: .*\[bridge\]"):
        models.from_onnx(tmp_path / "net.onnx")
