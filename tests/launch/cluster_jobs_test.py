"""Every job under several processes of several devices: the files of one process."""

import functools

import jax
import numpy as np
import pytest
from safetensors.numpy import save_file

from mspd_jax import jobs, models, runs
from tests.launch import s3, small_jobs
from tests.launch.small_jobs import RELEASED, TRAININGS

pytestmark = pytest.mark.slow
DEVICES = 8  # in all: a training shares its batch over them
RELEASE = pytest.mark.release
REPORTED = ("protect", "evaluate", "smoothing", "patches", "stab")
CONVERTED = {"job": "convert", "torch": "@/net.safetensors", "arch": "small_cnn"}
CONVERTED["image_shape"] = "8,8,1"
# Of the process, and not the same for two runs.
OWN = ("run.json", "summary.json", "metrics.jsonl", "model/", "checkpoints/")


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    path = tmp_path_factory.mktemp("ground")
    small_jobs.save_models(path)
    shapes = {"conv0.weight": (4, 1, 3, 3), "conv0.bias": (4,)}
    shapes |= {"linear.weight": (3, 4), "linear.bias": (3,)}
    tensors = {name: np.ones(shape, np.float32) for name, shape in shapes.items()}
    save_file(tensors, path / "net.safetensors")
    return path


@pytest.fixture(scope="module")
def made(ground):
    """(processes, released) -> the folder of what they make: all jobs but those for a
    release, or these alone."""

    @functools.cache
    def run(processes, released):
        out = ground / f"of_{processes}"
        trainings = {n: f for n, f in TRAININGS.items() if (n in RELEASED) == released}
        kinds = {DEVICES: trainings}
        if not released:
            # Images are the same on one device.
            kinds.setdefault(1 if processes == 1 else DEVICES, {}).update(
                small_jobs.IMAGES | {"convert": CONVERTED, "report": reported(out)}
            )
        for devices, some in kinds.items():
            file = small_jobs.write_jobs(ground / "jobs.jsonl", some, ground, out)
            devices = max(1, devices // processes)
            said = small_jobs.run_jobs(file, processes=processes, devices=devices)
            line = f"cluster: {processes} processes, {DEVICES} devices"
            assert [line in text for text in said] == [
                processes > 1 and place == 0 for place in range(processes)
            ]
        return out

    return run


def reported(out):
    return {"job": "report", "runs": ",".join(f"{out}/{name}" for name in REPORTED)}


def cases(names):
    """The names with 2 and 4 processes; not each of them before each change."""
    return [
        pytest.param(
            name,
            processes,
            marks=RELEASE if processes == 2 or name in RELEASED else (),
        )
        for processes in (2, 4)
        for name in names
    ]


@pytest.mark.parametrize(("name", "processes"), cases(small_jobs.IMAGES))
def test_files_and_totals_are_those_of_one_process(name, processes, made):
    one, many = made(1, False), made(processes, False)
    found, wanted = (s3.content(out / name, OWN) for out in (many, one))
    assert len(wanted["records.jsonl"].splitlines()) == 30
    assert found == wanted
    assert s3.totals(many / name) == s3.totals(one / name)


@pytest.mark.parametrize(("name", "processes"), cases(TRAININGS))
def test_trainings_learn_what_one_process_learns(name, processes, made):
    one, many = (made(count, name in RELEASED) for count in (1, processes))
    # The same terms of each mean over the batch, summed in another order: weights
    # differ by 1e-7 here, and losses are rounded to six digits.
    exact = {"rtol": 1e-5, "atol": 2e-6}
    found, wanted = (models.load_model(out / name) for out in (many, one))
    assert found.spec._replace(origin={}) == wanted.spec._replace(origin={})
    jax.tree.map(
        lambda *both: np.testing.assert_allclose(*both, **exact),
        found.variables,
        wanted.variables,
    )
    losses = [[x["loss"] for x in runs.read_metrics(out / name)] for out in (many, one)]
    assert len(losses[0]) == 2
    np.testing.assert_allclose(*losses, **exact)
    records = [list(runs.read_records(out / name)) for out in (many, one)]
    assert len(records[1]) == 100
    assert jax.tree.structure(records[0]) == jax.tree.structure(records[1])
    leaves = [np.asarray(jax.tree.leaves(each), np.float64) for each in records]
    np.testing.assert_allclose(*leaves, **exact)
    names = [
        set(s3.content(out / name, ("model/", "checkpoints/"))) for out in (many, one)
    ]
    assert names[0] == names[1]


@pytest.mark.parametrize(("name", "processes"), cases(["report"]))
def test_the_first_process_writes_the_report(name, processes, made, tmp_path):
    many = made(processes, False)
    found = tuple(many / name for name in REPORTED)
    page = jobs.Report(runs=found).run(tmp_path)
    assert {path.name for path in page.files} >= {"report.md", "picture.png"}
    assert s3.content(many / name) == s3.content(tmp_path)


@pytest.mark.parametrize(("name", "processes"), cases(["convert"]))
def test_a_checkpoint_is_converted_once(name, processes, made):
    one, many = made(1, False), made(processes, False)
    found, wanted = (models.load_model(out / name) for out in (many, one))
    assert models.function_hash(found) == models.function_hash(wanted)
    assert not [path for path in many.iterdir() if path.name.startswith(".")]
