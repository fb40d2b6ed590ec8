"""A process of several that ends: the others tell which, and the run goes on."""

import os
import signal
import time

import numpy as np
import pytest

from launch._cluster_words import passed_on
from mspd_jax import models, runs
from tests.launch import mains, s3, small_jobs

# As jaxlib 0.10.2 writes them; stack traces cut short.
ORDINARY = "I1129 19:08:30.1 1 main.cc:1] hello\n"
POLLED = (
    "E1129 19:08:49.989672   32168 coordination_service_agent.cc:289] Polled an error "
    "from coordination service (this can be an error from this or another task).\n"
)
FATAL = (
    "F1129 19:08:49.989852   32168 client.h:80] Terminating process because the JAX "
    "distributed service detected fatal errors. absl::Status: UNAVAILABLE: "
)
SILENT = "The following tasks are unhealthy (stopped sending heartbeats):\n"
CRASHED = "The tasks have crashed. Check the task logs.\n    @ 0x7f6e LogMessage()\n"
UNREACHED = "Failed to send RPC to coordination service. Either the leader task died\n"
WORKER = "/job:jax_worker/replica:0/task:"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (SILENT + "1\n" + CRASHED, "process 1 of the cluster has ended"),
        (SILENT + "3\n12\n" + CRASHED, "process 3, 12 of the cluster have ended"),
        (SILENT + f"{WORKER}2\n" + CRASHED, "process 2 of the cluster has ended"),
        (UNREACHED, "process 0 of the cluster, its coordinator, has ended"),
        ("INTERNAL: who knows\n", "a process of the cluster has ended"),
    ],
)
def test_a_page_of_jax_becomes_a_line(said, shown):
    page = (ORDINARY + POLLED + FATAL + said).splitlines(keepends=True)
    first, line = passed_on(page)
    assert first == ORDINARY
    assert line.startswith(f"\nerror: {shown}") and line.endswith("resumes the run\n")


def test_all_else_is_passed_on_as_it_is():
    lines = [ORDINARY, POLLED, "W1129 1 1 preemption_sync_manager.cc:1] x\n", "y\n"]
    assert list(passed_on(lines)) == lines


IMAGES, TRAININGS = small_jobs.IMAGES, small_jobs.TRAININGS
# How many processes, which of them is killed, and when: once there is a line in a file
# of this name.
KILLED = {
    "protect": (3, 0, "records-*"),
    "revert": (3, 1, "records-*"),
    "evaluate": (3, 2, "stages-*"),
    "smoothing": (3, 0, "records-*"),
    "patches": (3, 1, "records-*"),
    "train_classifier": (2, 1, "metrics.jsonl"),
    "stab": (2, 0, "metrics.jsonl"),
    "train_trn": (2, 1, "metrics.jsonl"),
}
LONGER = {name: IMAGES[name] | {"limit": 90} for name in KILLED if name in IMAGES}
LONGER |= {n: TRAININGS[n] | {"epochs": 4} for n in KILLED if n in TRAININGS}


def ran_alone(ground, out):
    """Runs all these jobs in one process, with as many devices as a training had."""
    file = small_jobs.write_jobs(ground / "longer.jsonl", LONGER, ground, out)
    small_jobs.run_jobs(file, devices=4)
    return out


@pytest.mark.slow
def test_one_that_is_killed_is_named_and_its_run_goes_on(tmp_path):
    """All jobs at once, as it takes JAX half a minute to see that a process is gone."""
    small_jobs.save_models(tmp_path)
    whole, out = ran_alone(tmp_path, tmp_path / "whole"), tmp_path / "out"
    commands, places = [], {}
    for name, (processes, _, _) in KILLED.items():
        places[name] = range(len(commands), len(commands) + processes)
        flags = small_jobs.as_flags(LONGER[name]) + [f"--out={out}/{name}"]
        flags = [flag.replace("@", str(tmp_path)) for flag in flags]
        job = LONGER[name]["job"]
        commands += [(job, [*flags, *own]) for own in mains.cluster(processes)]
    with mains.together(commands, devices=2, hastily=True) as begun:
        left, end, first = dict(KILLED), time.monotonic() + 120, None
        while left and time.monotonic() < end:
            for name, (_, killed, pattern) in list(left.items()):
                if any(path.stat().st_size for path in (out / name).glob(pattern)):
                    os.kill(begun.pids[places[name][killed]], signal.SIGKILL)
                    first = first or time.monotonic()
                    del left[name]
            time.sleep(0.002)
        assert not left
        ended = begun.finish()
        assert time.monotonic() - first < 60
    for name, (processes, killed, _) in KILLED.items():
        assert not (out / name / "summary.json").exists()
        for place in range(processes):
            code, _, text = ended[places[name][place]]
            assert code != 0
            lines = [line for line in text.splitlines() if line.startswith("error: ")]
            if place == killed:
                continue
            assert len(lines) == 1, text
            assert lines[0].startswith(f"error: process {killed} of the cluster")
            assert "Traceback" not in text and "LogMessage" not in text
    ran_alone(tmp_path, out)
    for name in KILLED:
        if name in IMAGES:
            found, wanted = (
                s3.content(root / name, ("run.json", "summary.json"))
                for root in (out, whole)
            )
            assert found == wanted
            continue
        found, wanted = (runs.read_metrics(root / name) for root in (out, whole))
        assert [line["epoch"] for line in found] == [1, 2, 3, 4]
        losses = [[line["loss"] for line in lines] for lines in (found, wanted)]
        np.testing.assert_allclose(*losses, rtol=1e-4)
        assert models.load_model(out / name).spec


@pytest.mark.slow
def test_what_is_refused_on_one_host_ends_all(tmp_path):
    mains.save_small_model(tmp_path / "cnn")
    flags = ["--source=digits:test", "--eps=0.1", f"--out={tmp_path / 'out'}"]
    own, other = mains.cluster(2)
    good = ("protect", [*flags, f"--surrogate={tmp_path / 'cnn'}", *own])
    bad = ("protect", [*flags, "--surrogate=nowhere", *other])
    with mains.together([good, bad], devices=1) as begun:
        (code, _, told), (refusal, _, refused) = begun.finish()
    assert refusal == 2 and "error: " in refused
    assert code != 0
    assert "error: process 1 of the cluster has ended" in told
