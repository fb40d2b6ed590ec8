"""Settings for every test: strict arrays, exact products, and the shared data."""

import importlib.metadata
import os
import pathlib

# Before JAX starts: mains give each core a device, tests want to know what they have.
os.environ["XLA_FLAGS"] = (
    os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=1"
)

import jax  # noqa: E402
import pytest  # noqa: E402

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_default_matmul_precision", "highest")


def pytest_configure(config):
    """Compiles without optimization where compiling is most of the time.

    Before JAX starts its devices. The slow tests run what users run.
    """
    if "not slow" in config.option.markexpr:
        os.environ["XLA_FLAGS"] += " --xla_backend_optimization_level=0"
        # The older emitters compile in two thirds of the time. XLA aborts on a flag
        # that it does not know, as later versions do not know this one.
        if importlib.metadata.version("jaxlib").startswith("0.10."):
            os.environ["XLA_FLAGS"] += " --xla_cpu_use_fusion_emitters=false"


@pytest.fixture
def shared():
    """Folder of real data and weights beside the checkout (or `MSPD_SHARED`)."""
    beside = pathlib.Path(__file__).resolve().parents[2] / "shared"
    path = pathlib.Path(os.environ.get("MSPD_SHARED", beside))
    if not (path / "weights").is_dir():
        pytest.skip(f"no real data at {path}: set MSPD_SHARED to run this test")
    return path
