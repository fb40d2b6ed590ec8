"""Settings for every test: strict arrays, exact products, and the shared data."""

import os
import pathlib

import jax
import pytest

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_default_matmul_precision", "highest")


@pytest.fixture
def shared():
    """Folder of real data and weights beside the checkout (or `MSPD_SHARED`)."""
    beside = pathlib.Path(__file__).resolve().parents[2] / "shared"
    path = pathlib.Path(os.environ.get("MSPD_SHARED", beside))
    if not (path / "weights").is_dir():
        pytest.skip(f"no real data at {path}: set MSPD_SHARED to run this test")
    return path
