"""Job arrays of SLURM: by submitit, and where there is one, on a real SLURM."""

import json
import shutil
import subprocess
import sys
import time

import pytest

from mspd_jax import jobs
from mspd_jax.errors import InputError
from mspd_jax.jobs.sweeps._slurm import _Resumable
from tests.launch import mains
from tests.launch.sweep_test import JOB, check_complete, flags, ground

__all__ = ["ground"]  # a fixture

_NEEDED = "needs submitit: pip install 'mspd_jax[slurm]'"


def test_without_submitit_a_line_says_what_to_install(tmp_path, monkeypatch):
    for name in ("submitit", "ray"):
        monkeypatch.setitem(sys.modules, name, None)
    job = jobs.Protect(source="digits:test", surrogate="A", eps=0.1)
    for name in ("slurm", "ray"):
        with pytest.raises(InputError, match=rf"mspd_jax\[{name}\]"):
            jobs.sweep([job], tmp_path / "out", executor=name)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_job_that_is_pre_empted_is_submitted_again():
    submitit = pytest.importorskip("submitit", reason=_NEEDED)
    work, spec = _Resumable({"A": "b"}, []), {"job": "protect"}
    again = work.checkpoint(spec)
    assert isinstance(again, submitit.helpers.DelayedSubmission)
    assert (again.function, again.args) == (_Resumable({"A": "b"}, []), (spec,))
    assert work.stopped  # and gives no result


@pytest.mark.slow
@pytest.mark.release
def test_a_job_that_is_lost_is_named_and_run_by_the_same_command(ground, tmp_path):
    pytest.importorskip("submitit", reason=_NEEDED)
    out = tmp_path / "out"
    common = (*JOB[:3], "--grid=eps=0.1,0.2", "--samples=1")
    command = ("sweep", *common, f"--surrogate={ground}/a")
    command += ("--executor=slurm", "--slurm_cluster=local", f"--out={out}")
    process = mains.start(*command, devices=1)
    limit = time.monotonic() + 60
    while not (found := mains.processes("submitit.core._submit", str(out))):
        assert process.poll() is None and time.monotonic() < limit
        time.sleep(0.05)
    subprocess.run(["kill", "-9", str(found[0])], check=True)
    said, err = process.communicate(timeout=200)
    assert process.returncode == 1, said + err
    assert "2 cells, 1 finished, 1 failed" in said
    code, said, err = mains.run(*command)
    assert code == 0 and "2 cells, 2 finished" in said, err


@pytest.mark.engine
def test_24_cells_on_a_real_slurm_with_one_cancelled(ground, tmp_path):
    pytest.importorskip("submitit", reason=_NEEDED)
    if shutil.which("sbatch") is None:
        pytest.skip("needs SLURM: apt-get install slurm-wlm")
    if subprocess.run(["sinfo"], capture_output=True).returncode:
        pytest.skip("no SLURM answers on this machine")
    out = tmp_path / "out"
    command = ("sweep", *flags(ground, out), "--executor=slurm", "--slurm_time=10")
    process = mains.start(*command, devices=1)
    limit = time.monotonic() + 120
    while len(list(out.glob("*/summary.json"))) < 3:
        assert process.poll() is None and time.monotonic() < limit
        time.sleep(0.2)
    queued = subprocess.run(
        ["squeue", "-h", "-r", "-t", "PENDING", "-o", "%i"],
        capture_output=True,
        text=True,
        check=True,
    )
    subprocess.run(["scancel", queued.stdout.split()[-1]], check=True)
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 1, said
    assert "24 cells, 23 finished, 1 failed" in said
    code, said, err = mains.run(*command)
    assert code == 0, err
    assert json.loads((out / "summary.json").read_text())["finished"] == 24
    check_complete(out, ground)
