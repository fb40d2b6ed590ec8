"""Settings for every test: strict arrays, exact products, and the shared data."""

import os
import pathlib
import tempfile

# Before JAX starts: mains give each core a device, tests want to know what they have.
os.environ["XLA_FLAGS"] = (
    os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=1"
)

import jax  # noqa: E402
import pytest  # noqa: E402

from tests.hasty import hasty_flags  # noqa: E402

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_default_matmul_precision", "highest")


def pytest_configure(config):
    """Settles how JAX compiles, before it starts its devices.

    Compiling is most of the time of all but the slow tests, so that they do it without
    optimization. The slow ones run what users run, and share what they have compiled.
    """
    if "slow" not in config.option.markexpr.replace("not slow", ""):
        os.environ["XLA_FLAGS"] += "".join(f" {flag}" for flag in hasty_flags())
    elif not hasattr(config, "workerinput"):  # workers inherit what it sets
        folder = tempfile.TemporaryDirectory(prefix="mspd_jax_compiled_")
        config.add_cleanup(folder.cleanup)
        os.environ["JAX_COMPILATION_CACHE_DIR"] = folder.name
        os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"


@pytest.fixture
def shared():
    """Folder of real data and weights beside the checkout (or `MSPD_SHARED`)."""
    beside = pathlib.Path(__file__).resolve().parents[2] / "shared"
    path = pathlib.Path(os.environ.get("MSPD_SHARED", beside))
    if not (path / "weights").is_dir():
        pytest.skip(f"no real data at {path}: set MSPD_SHARED to run this test")
    return path


@pytest.fixture
def bucket():
    """A store in memory behind s3://: see tests/bucket.py."""
    from tests.bucket import in_memory

    with in_memory() as store:
        yield store
