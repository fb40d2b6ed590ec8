"""Mains in processes of their own, and a small model for them to use."""

import concurrent.futures
import contextlib
import functools
import json
import os
import pathlib
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import jax

from mspd_jax import models
from tests.hasty import hasty_flags

ROOT = pathlib.Path(__file__).resolve().parents[2]
_turn = threading.Lock()  # one request at a time, whatever thread asks


def environment(devices: int | None = None, *, hastily: bool = False) -> dict:
    """The environment of a main, with so many virtual CPU devices, or what it takes.

    hastily: compiles as the tests do that are not slow.
    """
    # As tests/conftest.py has it, but for the devices; and mains compute for a while.
    flags = os.environ.get("XLA_FLAGS", "").replace("level=0", "level=1").split()
    flags = [flag for flag in flags if "_count=" not in flag]
    if hastily:
        flags = [flag for flag in flags if "level=" not in flag] + hasty_flags()
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
    about the process itself takes `start`. job: or a module of tests, with its dots.
    """
    with together([(job, flags)], devices=devices) as begun:
        return begun.finish()[0]


def run_code(
    code: str, folder: pathlib.Path, *, devices: int | None = None
) -> tuple[int, str, str]:
    """Runs Python code in a folder, in a process as `run`."""
    script = folder / "code.py"
    script.write_text(code, encoding="utf-8")
    with _forked([(str(script), ())], environment(devices), folder) as begun:
        return begun.finish()[0]


class Begun(NamedTuple):
    """Mains at work, in processes of the numbers `pids`. finish: waits for all, and
    gives exit code, standard output and standard error of each."""

    pids: list[int]
    finish: Callable[[], list[tuple[int, str, str]]]


@contextlib.contextmanager
def together(
    commands: Sequence[tuple[str, Sequence[str]]],
    *,
    devices: int | None = None,
    hastily: bool = False,
) -> Iterator[Begun]:
    """Mains side by side, each a job and its flags, in processes as `run`."""
    named = [(j if "." in j else f"launch.{j}", flags) for j, flags in commands]
    with _forked(named, environment(devices, hastily=hastily)) as begun:
        yield begun


def cluster(processes: int) -> list[list[str]]:
    """The flags of each process of a run of several."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    shared = [f"--coordinator={address}", f"--num_processes={processes}"]
    return [[*shared, f"--process_id={place}"] for place in range(processes)]


@contextlib.contextmanager
def _forked(commands, env, folder=None) -> Iterator[Begun]:
    count = len(commands)
    with (
        _turn,
        tempfile.TemporaryDirectory() as place,
        concurrent.futures.ThreadPoolExecutor(count) as readers,
    ):
        each = [
            {"module": module, "flags": list(flags)}
            | {name: f"{place}/{number}.{name}" for name in ("out", "err")}
            for number, (module, flags) in enumerate(commands)
        ]
        for main in each:
            os.mkfifo(main["err"])  # also held by what a main leaves to speak for it
        errors = [readers.submit(pathlib.Path(m["err"]).read_text) for m in each]
        server = _warm()
        request = {"folder": str(folder or place), "env": env, "each": each}
        server.stdin.write(json.dumps(request).encode() + b"\n")
        pids, codes = json.loads(server.stdout.readline()), []

        def finish():
            if not codes:
                late = not select.select([server.stdout], [], [], 300)[0]
                codes.extend(_ended(server, pids if late else []))
                assert not late, [error.result() for error in errors]
            return [
                (code, pathlib.Path(main["out"]).read_text(), error.result())
                for code, main, error in zip(codes, each, errors, strict=True)
            ]

        try:
            yield Begun(pids, finish)
        finally:
            if not codes:
                _ended(server, pids)


def _ended(server, pids) -> list[int]:
    """The exit codes of mains, after these have been killed."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return json.loads(server.stdout.readline())


@functools.cache
def _warm() -> subprocess.Popen:
    """The process that forks mains; it ends with this one, which closes its input."""
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "tests.launch.warm"],
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,  # `select` sees all that has not been read
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
