"""What a person waits for: nothing is imported that `--help` has no use for."""

import subprocess
import sys

# Together they take longer to import than all the rest.
_HEAVY = ("matplotlib", "orbax", "scipy.special", "scipy.stats", "tensorstore")


def test_help_imports_no_heavy_package():
    code = (
        "import sys\n"
        "from mspd_jax import jobs\n"
        f"print(*[name for name in {_HEAVY} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []
