"""Settings that must stand before JAX starts. Imports nothing of JAX."""

import importlib.metadata
import os

# The experimental kernel fusion of jaxlib 0.10 slows convolutions on CPUs; an empty
# value turns it off. Other versions do not know the flag, and XLA aborts on that.
_SLOW_FUSION = "--xla_cpu_experimental_ynn_fusion_type="


def prepare() -> None:
    """Adds the XLA flags that this jaxlib knows, unless the user set them."""
    flags = os.environ.get("XLA_FLAGS", "")
    version = importlib.metadata.version("jaxlib")
    if version.startswith("0.10.2") and _SLOW_FUSION not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} {_SLOW_FUSION}".strip()
    # Prepared data sets are read without the network; its absence is no warning.
    os.environ.setdefault("NO_GCE_CHECK", "true")
