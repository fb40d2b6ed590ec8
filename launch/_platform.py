"""Settings that must stand before JAX starts. Imports nothing of JAX."""

import importlib.metadata
import os

# Of what jaxlib 0.10 gives to the library YNNPACK, convolutions gain (a ResNet-20 takes
# a quarter less of the CPU), products and sums do not. Other versions do not know the
# flag, and XLA aborts on that.
_LIBRARY = "--xla_cpu_experimental_ynn_fusion_type="


def prepare() -> None:
    """Adds the XLA flags that this jaxlib knows, unless the user set them."""
    flags = os.environ.get("XLA_FLAGS", "")
    version = importlib.metadata.version("jaxlib")
    if version.startswith("0.10.2") and _LIBRARY not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} {_LIBRARY}individual_convolution".strip()
    # Prepared data sets are read without the network; its absence is no warning.
    os.environ.setdefault("NO_GCE_CHECK", "true")
