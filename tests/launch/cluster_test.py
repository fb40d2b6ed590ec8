"""Several processes: the files of one; and one that ends, of which the others tell."""

import json
import signal
import socket
import time

import numpy as np
import pytest

from launch._cluster_words import passed_on
from tests.launch import mains

RELEASE = pytest.mark.release
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


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "cnn"
    mains.save_small_model(path)
    return path


def started(job, *flags, processes, devices=2):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    cluster = (f"--coordinator={address}", f"--num_processes={processes}")
    return [
        mains.start(job, *flags, *cluster, f"--process_id={i}", devices=devices)
        for i in range(processes)
    ]


JOBS = {
    "revert": ["--surrogate={model}", "--eps=0.1", "--samples=4"],
    "evaluate": ["--target={model}", "--attack=pgd-3,square-20", "--eps=0.1"],
    "certify": ["--target={model}", "--sigma=0.25", "--samples=100"],
    "certify patches": [
        "--target={model}",
        "--method=scalecert",
        "--patch=2",
        "--windows=2",
        "--cut=layer0",
    ],
}


@pytest.mark.slow
@pytest.mark.parametrize("processes", [pytest.param(2, marks=RELEASE), 4])
@pytest.mark.parametrize("job", JOBS)
def test_the_files_are_those_of_one_process(job, processes, model, tmp_path):
    flags = ["--source=digits:test", "--limit=50", "--batch_size=4", *JOBS[job]]
    flags = [flag.format(model=model) for flag in flags]
    job = job.split()[0]
    code, _, err = mains.run(job, *flags, f"--out={tmp_path / 'one'}", devices=1)
    assert code == 0, err
    many = started(job, *flags, f"--out={tmp_path / 'many'}", processes=processes)
    said = [process.communicate(timeout=300)[1] for process in many]
    assert [process.returncode for process in many] == [0] * processes, said
    assert f"cluster: {processes} processes, {2 * processes} devices" in said[0]
    assert mains.files(tmp_path / "many") == mains.files(tmp_path / "one")


@pytest.mark.slow
@pytest.mark.parametrize("processes", [pytest.param(2, marks=RELEASE), 4])
def test_trainings_learn_what_as_many_devices_of_one_process_learn(processes, tmp_path):
    flags = ["--source=digits:train", "--limit=512", "--eval_source=digits:test"]
    flags += ["--eval_limit=32", "--arch=small_cnn", '--arch_options={"widths":[4,8]}']
    flags += ["--epochs=2", "--adversarial=fgsm", "--eps=0.1", "--batch_size=64"]
    one, many = tmp_path / "one", tmp_path / "many"
    job, devices = "train_classifier", 2 * processes
    code, _, err = mains.run(job, *flags, f"--out={one}", devices=devices)
    assert code == 0, err
    began = started(job, *flags, f"--out={many}", processes=processes)
    said = [process.communicate(timeout=300)[1] for process in began]
    assert [process.returncode for process in began] == [0] * processes, said
    losses = [
        [json.loads(line)["loss"] for line in (out / "metrics.jsonl").open()]
        for out in (one, many)
    ]
    np.testing.assert_allclose(*losses, rtol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("job", "killed"),
    [
        ("protect", 0),
        ("train_classifier", 1),
        pytest.param("protect", 1, marks=RELEASE),
        pytest.param("train_classifier", 0, marks=RELEASE),
    ],
)
def test_one_that_is_killed_is_named_by_all_others(job, killed, model, tmp_path):
    out = tmp_path / "out"
    if job == "protect":
        flags = ["--source=digits:test", f"--surrogate={model}", "--eps=0.1"]
        flags += ["--samples=400", "--chunk=4", "--batch_size=1"]
        written = "records-*"
    else:
        flags = ["--source=digits:train", "--arch=small_cnn", "--epochs=10000"]
        flags += ["--batch_size=66", "--schedule=constant"]
        written = "metrics.jsonl"
    processes = started(job, *flags, f"--out={out}", processes=3, devices=1)
    try:
        wait_until(lambda: any(p.stat().st_size for p in out.glob(written)), processes)
        processes[killed].send_signal(signal.SIGKILL)
        began = time.monotonic()
        others = [p for place, p in enumerate(processes) if place != killed]
        said = [process.communicate(timeout=120)[1] for process in others]
        assert time.monotonic() - began < 60
    finally:
        for process in processes:
            process.kill()
    name = f"process {killed} of the cluster"
    for process, text in zip(others, said, strict=True):
        assert process.returncode not in (0, None)
        lines = [line for line in text.splitlines() if line.startswith("error: ")]
        assert len(lines) == 1 and lines[0].startswith(f"error: {name}"), text
        assert "Traceback" not in text and "LogMessage" not in text


@pytest.mark.slow
def test_what_is_refused_on_one_host_ends_all(model, tmp_path):
    flags = ["--source=digits:test", f"--surrogate={model}", "--eps=0.1"]
    out = f"--out={tmp_path / 'out'}"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    cluster = [f"--coordinator={address}", "--num_processes=2"]
    good = mains.start("protect", *flags, out, *cluster, "--process_id=0", devices=1)
    flags[1] = "--surrogate=nowhere"
    bad = mains.start("protect", *flags, out, *cluster, "--process_id=1", devices=1)
    _, refused = bad.communicate(timeout=60)
    _, told = good.communicate(timeout=90)
    assert bad.returncode == 2 and "error: " in refused
    assert good.returncode != 0
    assert "error: process 1 of the cluster has ended" in told


def wait_until(done, processes):
    while not done():
        for process in processes:
            assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
