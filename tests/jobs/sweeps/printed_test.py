"""Files for other engines: each worker runs one cell of the command itself."""

import shlex
import subprocess

import pytest
import yaml

from mspd_jax import jobs
from mspd_jax.errors import InputError

FIXED = {"source": "digits:test", "surrogate": "my nets/a", "antithetic": True}
COMMAND = [
    "mspd",
    "sweep",
    "--job=protect",
    "--grid=eps=4/255,8/255",
    "--grid=samples=4,20,40",
    "--source=digits:test",
    "--surrogate=my nets/a",
    "--antithetic=true",
]


def text_of(folder, kind, shards=None, **how):
    sweep = jobs.Sweep(
        job="protect",
        grid=("eps=4/255,8/255", "samples=4,20,40"),
        shards=shards,
        fixed=FIXED,
    )
    found = sweep.run(folder / "out", jobs.SweepMachine(print=kind, **how))
    assert not (folder / "out").exists()
    return found


def ran(script, folder, **environment):
    """The words of the commands that a script runs, programs being fakes."""
    for name in ("mspd", "xpk", "sbatch"):
        fake = folder / name
        fake.write_text(
            "#!/bin/sh\n"
            f"printf '%s\\n' {name} \"$@\" . >> '{folder}/said'\n"
            f"test {name} != sbatch || {{ echo 7; cat >> '{folder}/arrays'; }}\n"
        )
        fake.chmod(0o755)
    paths = {"PATH": f"{folder}:/usr/bin:/bin"} | environment
    subprocess.run(["bash", "-c", script], env=paths, check=True, capture_output=True)
    words = (folder / "said").read_text().split("\n.\n")[:-1]
    return [command.split("\n") for command in words]


def test_an_array_of_slurm_runs_its_cell(tmp_path):
    text = text_of(
        tmp_path,
        "slurm",
        workers=4,
        slurm_partition="gpu",
        slurm_time=90,
        slurm_mem_gb=1.5,
        cell_resources=("GPU=1",),
        slurm_extra=("constraint=a100",),
    )
    head = [line for line in text.splitlines() if line.startswith("#SBATCH")]
    assert set(head) == {
        "#SBATCH --array=0-5%4",
        "#SBATCH --job-name=mspd-sweep",
        "#SBATCH --partition=gpu",
        "#SBATCH --time=90",
        "#SBATCH --mem=1536M",
        "#SBATCH --gpus-per-node=1",
        "#SBATCH --constraint=a100",
        "#SBATCH --requeue",
        "#SBATCH --open-mode=append",
    }
    (command,) = ran(text, tmp_path, SLURM_ARRAY_TASK_ID="3")
    assert command == [*COMMAND, f"--out={tmp_path}/out", "--cell=3"]


def test_arrays_of_a_chain_wait_for_each_other(tmp_path):
    text = text_of(tmp_path, "slurm", shards=2)
    first, second = ran(text, tmp_path)
    assert first == ["sbatch", "--parsable"]
    assert second == ["sbatch", "--parsable", "--dependency=afterany:7"]
    arrays = (tmp_path / "arrays").read_text()
    assert "--array=0-11" in arrays and "--array=12-17" in arrays
    assert arrays.count("--shards=2") == 2


def test_a_jobset_has_an_indexed_job(tmp_path):
    text = text_of(tmp_path, "jobset", workers=3, cell_resources=("GPU=1", "CPU=8"))
    content = yaml.safe_load(text)
    assert (content["apiVersion"], content["kind"]) == (
        "jobset.x-k8s.io/v1alpha2",
        "JobSet",
    )
    (job,) = content["spec"]["replicatedJobs"]
    spec = job["template"]["spec"]
    assert (job["replicas"], spec["completions"], spec["parallelism"]) == (1, 6, 3)
    (container,) = spec["template"]["spec"]["containers"]
    assert container["resources"]["limits"] == {"nvidia.com/gpu": "1", "cpu": "8"}
    script = shlex.join(container["command"])
    for code, ends in ((1, 0), (2, 0), (137, 1)):  # a failed cell, and a lost one
        (tmp_path / "mspd").write_text(f"#!/bin/sh\nexit {code}\n")
        (tmp_path / "mspd").chmod(0o755)
        env = {"PATH": f"{tmp_path}:/usr/bin:/bin", "JOB_COMPLETION_INDEX": "5"}
        assert subprocess.run(["sh", "-c", script], env=env).returncode == ends
    (command,) = ran(script, tmp_path, JOB_COMPLETION_INDEX="5")
    assert command == [*COMMAND, f"--out={tmp_path}/out", "--cell=5"]


def test_levels_of_a_jobset_wait_and_count_on(tmp_path):
    content = yaml.safe_load(text_of(tmp_path, "jobset", shards=2))
    first, second = content["spec"]["replicatedJobs"]
    assert second["dependsOn"] == [{"name": first["name"], "status": "Complete"}]
    spec = second["template"]["spec"]["template"]["spec"]
    script = shlex.join(spec["containers"][0]["command"])
    (command,) = ran(script, tmp_path, JOB_COMPLETION_INDEX="1")
    assert command[-1] == "--cell=13"


def test_a_slice_of_several_hosts_is_a_job(tmp_path):
    how = {"tpu_accelerator": "tpu-v5-lite-podslice", "tpu_topology": "4x4"}
    text = text_of(tmp_path, "jobset", cell_resources=("TPU=4",), **how)
    content = yaml.safe_load(text)
    (job,) = content["spec"]["replicatedJobs"]
    spec = job["template"]["spec"]
    assert (job["replicas"], spec["completions"], spec["parallelism"]) == (6, 4, 4)
    pod = spec["template"]["spec"]
    assert pod["nodeSelector"] == {
        "cloud.google.com/gke-tpu-accelerator": "tpu-v5-lite-podslice",
        "cloud.google.com/gke-tpu-topology": "4x4",
    }
    (container,) = pod["containers"]
    assert container["resources"]["limits"] == {"google.com/tpu": "4"}
    script = shlex.join(container["command"])
    (command,) = ran(script, tmp_path, JOB_INDEX="2")
    assert command[-2:] == ["--cluster", "--cell=2"]


def test_xpk_gets_a_workload_for_each_cell(tmp_path):
    text = text_of(tmp_path, "xpk", tpu_type="v5litepod-16", image="repo/im")
    commands = ran(text, tmp_path)
    assert len(commands) == 6
    assert commands[4][:4] == ["xpk", "workload", "create", "--workload=mspd-sweep-4"]
    inner = next(word for word in commands[4] if word.startswith("--command="))
    words = shlex.split(inner.removeprefix("--command="))
    assert words == [*COMMAND, f"--out={tmp_path}/out", "--cluster", "--cell=4"]


@pytest.mark.parametrize(
    ("kind", "how", "words"),
    [
        ("xpk", {}, "needs `tpu_type`"),
        ("xpk", {"shards": 2, "tpu_type": "v4-8"}, "waits for no other"),
        ("jobset", {"tpu_topology": "4x4"}, "has 16 chips: say with"),
        ("jobset", {"tpu_topology": "big"}, "`tpu_topology`=big: expected a slice"),
        ("jobset", {"cell_resources": ("GPU",)}, "`cell_resources`=GPU: expected"),
    ],
)
def test_what_cannot_be_printed_is_refused(tmp_path, kind, how, words):
    with pytest.raises(InputError, match=words):
        text_of(tmp_path, kind, **how)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["gpu", "slices"])
def test_the_jobs_of_a_jobset_fit_their_schema(tmp_path, how):
    validate = pytest.importorskip("kubernetes_validate")
    options = {"cell_resources": ("GPU=1",)}
    if how == "slices":
        options = {
            "cell_resources": ("TPU=4",),
            "tpu_topology": "4x4",
            "tpu_accelerator": "tpu-v5-lite-podslice",
        }
    content = yaml.safe_load(text_of(tmp_path, "jobset", shards=2, **options))
    for job in content["spec"]["replicatedJobs"]:
        named = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "a"}}
        validate.validate(named | job["template"], "1.31", strict=True)
