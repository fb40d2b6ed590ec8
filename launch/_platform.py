"""Settings that must stand before JAX starts. Imports nothing of JAX."""

import importlib.metadata
import logging
import os

# Of what jaxlib 0.10 gives to the library YNNPACK, convolutions gain (a ResNet-20 takes
# a quarter less of the CPU), and products with many weights: AlexNet's gradient takes
# a third of the time, a ResNet-50's .97. Sums do not. Other versions do not know the
# flag, and XLA aborts on that.
_LIBRARY = "--xla_cpu_experimental_ynn_fusion_type="
# XLA shares out a single batch among CPU cores badly (1.1 of 2 cores busy in attacks on
# a ResNet-20), batches of their own well: each core is a device, as far as memory goes.
_DEVICES = "--xla_force_host_platform_device_count="
_MOST_DEVICES = 4


def prepare() -> None:
    """Adds the XLA flags that this jaxlib knows, unless the user set them."""
    flags = os.environ.get("XLA_FLAGS", "")
    version = importlib.metadata.version("jaxlib")
    if version.startswith("0.10.2") and _LIBRARY not in flags:
        flags = f"{flags} {_LIBRARY}individual_convolution,individual_dot"
    if _DEVICES not in flags:
        flags = f"{flags} {_DEVICES}{min(_cores(), _MOST_DEVICES)}"
    os.environ["XLA_FLAGS"] = flags.strip()
    # Prepared data sets are read without the network; its absence is no warning.
    os.environ.setdefault("NO_GCE_CHECK", "true")
    # Paths in stores go through fsspec, also where TensorFlow is installed.
    os.environ.setdefault("EPATH_USE_TF", "false")
    # They log each attempt, with tracebacks; what comes of it is said in one line.
    for name in ("gcsfs", "google.auth"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _cores() -> int:
    """The cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1
