"""Mains as subprocesses, and a small model for them to use."""

import os
import pathlib
import subprocess
import sys

import jax

from mspd_jax import models

ROOT = pathlib.Path(__file__).resolve().parents[2]


def environment(devices: int | None = None) -> dict:
    """The environment of a main, with so many virtual CPU devices, or what it takes."""
    flags = f"--xla_force_host_platform_device_count={devices}" if devices else ""
    return os.environ | {
        "PYTHONPATH": str(ROOT), "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"
    }  # fmt: skip


def start(job: str, *flags: str, devices: int | None = None) -> subprocess.Popen:
    """Starts `python -m launch.JOB` from the checkout."""
    command = [sys.executable, "-m", f"launch.{job}", *flags]
    return subprocess.Popen(
        command, cwd=ROOT, env=environment(devices), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def run(job: str, *flags: str, devices: int | None = None) -> tuple[int, str, str]:
    """Runs a main to its end: exit code, standard output, standard error."""
    process = start(job, *flags, devices=devices)
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def save_small_model(path: pathlib.Path, *, classes: int = 10, seed: int = 0) -> None:
    """A convolutional network of random weights for 8x8 grey images."""
    spec = models.ModelSpec(
        "small_cnn", {"widths": [8, 16]}, (0.0,), (1.0,), classes, (8, 8, 1), {}
    )
    models.save_model(path, models.create_model(jax.random.key(seed), spec))


def files(folder: pathlib.Path) -> dict[str, bytes]:
    """Records and images below a run folder, by relative name."""
    found = [folder / "records.jsonl", *sorted((folder / "images").rglob("*"))]
    return {str(p.relative_to(folder)): p.read_bytes() for p in found if p.is_file()}
