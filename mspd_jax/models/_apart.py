"""Writing a checkpoint in a process of its own, out of a run of several processes.

Saving by Orbax is a collective: all processes name the same folder and wait for each
other, and on hosts that share no disk there is no such folder. A process that belongs
to no cluster waits for nobody.

    python -m mspd_jax.models._apart < REQUEST
"""

import os
import pathlib
import pickle
import subprocess
import sys
from typing import Any

from mspd_jax.errors import first_line


def save_apart(path: pathlib.Path, tree: Any, metadata: dict[str, Any]) -> None:
    """Writes NumPy arrays and metadata as Orbax checkpoint `path`; OSError if not."""
    # It has no business with accelerators, and finds what this process finds.
    own = {"JAX_PLATFORMS": "cpu", "PYTHONPATH": os.pathsep.join(sys.path)}
    ended = subprocess.run(
        [sys.executable, "-m", __name__],
        input=pickle.dumps((path, tree, metadata)),
        env=os.environ | own,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    if ended.returncode:
        said = ended.stdout.decode(errors="replace").strip()
        raise OSError(said or f"the writing process ended with {ended.returncode}")


def _serve() -> None:
    import orbax.checkpoint as ocp

    path, tree, metadata = pickle.loads(sys.stdin.buffer.read())
    try:
        ocp.v1.save(path, tree, custom_metadata=metadata)
    except Exception as error:  # whatever Orbax raises, the other process says
        sys.stdout.write(first_line(error))
        sys.exit(1)


if __name__ == "__main__":
    _serve()
