"""Cells out of texts: grids, files of JSON lines, and what is no data."""

import json

import pytest

from mspd_jax import jobs
from mspd_jax.errors import InputError
from mspd_jax.jobs.sweeps._texts import asked_by_texts

FIXED = {"source": "digits:test", "surrogate": "A"}


def asked(job="protect", grid=(), cells=None, fixed=FIXED):
    return asked_by_texts(job, grid=grid, cells=cells, fixed=fixed)


def write(folder, *lines):
    path = folder / "cells.jsonl"
    texts = (s if isinstance(s, str) else json.dumps(s) for s in lines)
    path.write_text("".join(f"{text}\n" for text in texts))
    return str(path)


def test_a_grid_is_every_combination_the_last_fastest():
    found = asked(grid=["eps=4/255, 8/255", "samples=4,20"])
    assert [(c.job.eps, c.job.samples) for c in found] == [
        ("4/255", 4),
        ("4/255", 20),
        ("8/255", 4),
        ("8/255", 20),
    ]
    assert found[0].job.surrogate == "A" and found[0].name is None


def test_fields_of_the_machine_are_not_the_jobs():
    (cell,) = asked(grid=["eps=0.1"], fixed=FIXED | {"batch_size": 3})
    assert cell.machine == jobs.ChunkedMachine(batch_size=3)


def test_nested_choices_can_be_swept():
    fixed = {"source": "digits:test", "target": "A"}
    found = asked("certify", grid=["sigma=0.25,0.5", "samples=10"], fixed=fixed)
    assert [c.job.method.sigma for c in found] == [0.25, 0.5]


def test_a_file_holds_a_cell_a_line_of_any_job(tmp_path):
    path = write(
        tmp_path,
        {"name": "t", "job": "train_classifier", "source": "digits:train"},
        "",
        {"name": "p", "surrogate": "@t", "eps": 0.1},
    )
    train, protect = asked(cells=path, grid=["samples=4"])
    assert isinstance(train.job, jobs.TrainClassifier) and train.name == "t"
    assert protect.job == jobs.Protect(
        source="digits:test", surrogate="@t", eps=0.1, samples=4
    )


def test_lines_and_a_grid_multiply(tmp_path):
    path = write(tmp_path, {"eps": 0.1}, {"eps": 0.2})
    found = asked(cells=path, grid=["samples=4,20"])
    assert [(c.job.eps, c.job.samples) for c in found] == [
        (0.1, 4),
        (0.1, 20),
        (0.2, 4),
        (0.2, 20),
    ]


@pytest.mark.parametrize(
    ("grid", "words"),
    [
        ("eps", "`grid`=eps: expected a field and its values"),
        ("=4", "expected a field"),
        ("eps=4,,5", "expected a field"),
        ("epss=4/255", "protect has no field `epss`: did you mean `eps`?"),
        ("samples=4,x", "`samples`=x: expected a whole number"),
    ],
)
def test_a_grid_that_is_none_is_refused(grid, words):
    with pytest.raises(InputError) as caught:
        asked(grid=["eps=0.1"] * ("eps" not in grid) + [grid])
    assert words in str(caught.value)


def test_a_field_is_swept_once(tmp_path):
    with pytest.raises(InputError, match="names the field `eps` twice"):
        asked(grid=["eps=1/255", "eps=2/255"])
    with pytest.raises(InputError, match="`grid` and a line of `cells` both give"):
        asked(grid=["eps=1/255"], cells=write(tmp_path, {"eps": 0.1}))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("import os", "line 2 of `cells`=.*is no JSON object of fields"),
        ("[1, 2]", "is no JSON object"),
        ('{"eps": NaN}', "NaN is no value of JSON"),
        ('{"eps": 0.1, "eps": 0.2}', "a field is given twice"),
        ('{"eps": __import__("os").getpid()}', "is no JSON object"),
        ({"eps": 0.1, "surrogate": "python:os:getcwd"}, "is code to run"),
        ({"name": "a b", "eps": 0.1}, "a cell is named by"),
        ({"name": 3, "eps": 0.1}, "a cell is named by"),
        ({"job": "protct"}, "`job`=protct: did you mean protect?"),
        ({"job": ["protect"]}, "jobs: protect"),
        ({"name": "x", "epss": 0.1}, "cell x: protect has no field `epss`"),
    ],
)
def test_a_line_that_is_no_cell_is_refused(tmp_path, line, words):
    with pytest.raises(InputError, match=words) as caught:
        asked(cells=write(tmp_path, {"eps": 0.3}, line))
    assert "\n" not in str(caught.value)


def test_what_is_no_file_of_cells_is_refused(tmp_path):
    with pytest.raises(InputError, match="cannot read"):
        asked(cells=str(tmp_path / "none.jsonl"))
    with pytest.raises(InputError, match="holds no cell"):
        asked(cells=write(tmp_path))
    with pytest.raises(InputError, match="`job` is required"):
        asked(None, grid=["eps=0.1"])
    with pytest.raises(InputError, match="names no `job`"):
        asked(None, cells=write(tmp_path, {"eps": 0.1}), fixed={})
