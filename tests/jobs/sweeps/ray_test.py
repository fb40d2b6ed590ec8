"""A sweep on a real Ray cluster of three nodes, one of which is lost midway."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

import pytest

from tests.launch import mains
from tests.launch.sweep_test import check_complete, flags, ground, when_begun

__all__ = ["ground"]  # a fixture

pytestmark = pytest.mark.slow


@pytest.fixture
def cluster():
    """Starts nodes of a cluster on loopback: (address, nodes by name)."""
    pytest.importorskip("ray", reason="needs Ray: pip install 'mspd_jax[ray]'")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="r", dir="/tmp"))  # sockets lie there
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    nodes = {}
    try:
        head = ["--head", f"--port={address.rpartition(':')[2]}"]
        head += ["--include-dashboard=false", f"--temp-dir={folder}"]
        start(folder, "head", *head)
        for name in ("one", "two"):
            start(folder, name, f"--address={address}")
        for name in ("head", "one", "two"):
            nodes[name] = raylet_of(folder, name)
        yield address, nodes
    finally:
        for pid in mains.processes(str(folder)):
            kill(pid)
        shutil.rmtree(folder, ignore_errors=True)


def start(folder, name, *how):
    """`ray start`, as on a machine of its own."""
    common = ["--num-cpus=1", f"--node-name={name}", "--node-ip-address=127.0.0.1"]
    common += ["--object-store-memory=80000000", "--disable-usage-stats"]
    subprocess.run(
        [sys.executable, "-m", "ray.scripts.scripts", "start", *common, *how],
        env=mains.environment(1),
        check=True,
        capture_output=True,
        timeout=120,
    )


def raylet_of(folder, name):
    (pid,) = mains.processes("raylet/raylet", str(folder), f"--node-name={name}")
    return pid


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def test_24_cells_survive_the_loss_of_a_node(ground, cluster, tmp_path):
    address, nodes = cluster
    out = tmp_path / "out"
    process = mains.start(
        "sweep",
        *flags(ground, out),
        "--executor=ray",
        f"--ray_address={address}",
        "--cell_resources=CPU=1",
        devices=1,
    )
    when_begun(out, process, 6)
    kill(nodes["two"])
    said, err = process.communicate(timeout=300)
    assert process.returncode == 0, said + err
    assert "24 cells, 24 finished, 0 failed" in said
    check_complete(out, ground)


def test_a_cluster_that_does_not_answer_is_a_line(ground, tmp_path):
    pytest.importorskip("ray", reason="needs Ray: pip install 'mspd_jax[ray]'")
    code, _, err = mains.run(
        "sweep",
        *flags(ground, tmp_path / "out"),
        "--executor=ray",
        "--ray_address=127.0.0.1:1",
    )
    assert code == 2 and not (tmp_path / "out").exists()
    assert "--ray_address=127.0.0.1:1: no Ray cluster answers" in err
