"""Mains in processes of their own, and a small model for them to use."""

import functools
import json
import os
import pathlib
import select
import subprocess
import sys
import tempfile
import threading

import jax

from mspd_jax import models

ROOT = pathlib.Path(__file__).resolve().parents[2]
_turn = threading.Lock()  # one main at a time, whatever thread asks


def environment(devices: int | None = None) -> dict:
    """The environment of a main, with so many virtual CPU devices, or what it takes."""
    # As tests/conftest.py has it, but for the devices; and mains compute for a while.
    flags = os.environ.get("XLA_FLAGS", "").replace("level=0", "level=1").split()
    flags = [flag for flag in flags if "_count=" not in flag]
    if devices:
        flags.append(f"--xla_force_host_platform_device_count={devices}")
    return os.environ | {
        "PYTHONPATH": str(ROOT),
        "XLA_FLAGS": " ".join(flags),
        "JAX_PLATFORMS": "cpu",
    }


def start(job: str, *flags: str, devices: int | None = None) -> subprocess.Popen:
    """Starts `python -m launch.JOB` from the checkout."""
    command = [sys.executable, "-m", f"launch.{job}", *flags]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment(devices),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def run(job: str, *flags: str, devices: int | None = None) -> tuple[int, str, str]:
    """Runs a main to its end: exit code, standard output, standard error.

    In a process that is forked from one that has imported everything: a test that is
    about the process itself, as one that kills it, takes `start`.
    """
    return _forked(f"launch.{job}", flags, ROOT, environment(devices))


def run_code(code: str, folder: pathlib.Path) -> tuple[int, str, str]:
    """Runs Python code in a folder, in a process as `run`."""
    script = folder / "code.py"
    script.write_text(code, encoding="utf-8")
    return _forked(str(script), (), folder, environment())


def _forked(module, flags, folder, env) -> tuple[int, str, str]:
    with _turn, tempfile.TemporaryDirectory() as folder:
        out, err = (pathlib.Path(folder, name) for name in ("out", "err"))
        request = {"module": module, "flags": flags, "folder": str(folder), "env": env}
        request |= {"out": str(out), "err": str(err)}
        server = _warm()
        server.stdin.write(json.dumps(request) + "\n")
        server.stdin.flush()
        if not select.select([server.stdout], [], [], 300)[0]:
            server.kill()
            _warm.cache_clear()
            raise TimeoutError(f"{module} {' '.join(flags)}: {err.read_text()}")
        return int(server.stdout.readline()), out.read_text(), err.read_text()


@functools.cache
def _warm() -> subprocess.Popen:
    """The process that forks mains; it ends with this one, which closes its input."""
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "tests.launch.warm"],
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def save_small_model(path: pathlib.Path, *, classes: int = 10, seed: int = 0) -> None:
    """A convolutional network of random weights for 8x8 gray images."""
    spec = models.ModelSpec(
        "small_cnn", {"widths": [8, 16]}, (0.0,), (1.0,), classes, (8, 8, 1), {}
    )
    models.save_model(path, models.create_model(jax.random.key(seed), spec))


def files(folder: pathlib.Path) -> dict[str, bytes]:
    """Records and images below a run folder, by relative name."""
    found = [folder / "records.jsonl", *sorted((folder / "images").rglob("*"))]
    return {str(p.relative_to(folder)): p.read_bytes() for p in found if p.is_file()}


def processes(*words):
    """The processes whose command holds all of these words."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if all(word in command for word in words):
            found.append(int(path.parent.name))
    return [pid for pid in found if pid != os.getpid()]
