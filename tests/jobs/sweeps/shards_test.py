"""Jobs that go image by image: the shards together are the one run."""

import json

import pytest

from mspd_jax import data, jobs
from tests.jobs.linear import PREDICT, protect

pytestmark = pytest.mark.slow


SOURCE = data.open_source("digits:test", limit=9)
JOBS = {
    "certify": jobs.Certify(
        source=SOURCE,
        target=PREDICT,
        every=2,
        method=jobs.Smoothing(sigma=0.5, samples=200, selection=20),
    ),
    "evaluate": jobs.Evaluate(
        source=SOURCE,
        target=PREDICT,
        attack="fgsm,pgd-3x2",
        eps=0.05,
        check_images=2,
        save_images=True,
        adversarial=SOURCE,
    ),
    "protect": protect(9, format="arrayrecord"),
}
# Times, and what a start takes from them.
TIMES = {"seconds", "images_per_second", "images_computed", "compile_seconds"}


def outputs(folder):
    """All that a run wrote but what it says of itself."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in ("run.json", "summary.json")
    }


@pytest.mark.parametrize("name", JOBS)
def test_shards_are_the_run(tmp_path, name):
    job = JOBS[name]
    whole = job.run(tmp_path / "whole").folder
    (cell,) = jobs.sweep([job], tmp_path / "out", shards=2, executor="here").cells
    assert cell.error is None
    assert outputs(cell.folder) == outputs(whole)
    one, two = (
        json.loads((folder / "summary.json").read_text())
        for folder in (whole, cell.folder)
    )
    assert {k: v for k, v in one.items() if k not in TIMES} == {
        k: v for k, v in two.items() if k not in TIMES
    }
