"""The flat rows that all tables are made of."""

import pytest

from mspd_jax.report._rows import summary_columns, summary_rows
from mspd_jax.runs import read_runs
from tests.report.folders import certify_run, evaluate_run, patches_run, write_run


def rows_of(path):
    return summary_rows(read_runs([str(path)]))


def test_a_job_has_the_columns_of_its_kind(tmp_path):
    evaluate_run(tmp_path, "a", "digits:test", 0.5)
    attacked, before = rows_of(tmp_path)[0], summary_columns(rows_of(tmp_path))
    assert attacked["attack:pgd-20"] == attacked["robust_accuracy"] == 0.5
    assert "attack:fgsm" in before and "sigma" not in before and "cut" not in before
    certify_run(tmp_path / "b", (0.5, 0.0), sigma=0.25)
    patches_run(tmp_path / "c", 3, 1, undetected={"pgd": 0.25})
    rows = rows_of(tmp_path)
    columns = summary_columns(rows)
    _, noise, patches = rows
    assert noise["certified:0.5"] == 0.5 and noise["sigma"] == 0.25
    assert patches["undetected:pgd"] == 0.25 and patches["certified_accuracy"] == 1 / 3
    # An alert under attack counts as right: no accuracy like that of an evaluation.
    assert patches["robust_accuracy"] is None and "attack:pgd" not in patches
    assert not [name for name in columns if name.endswith("_interval")]
    names = ("reliable", "attack:fgsm", "method", "certified:0.5", "undetected:pgd")
    places = [columns.index(name) for name in (*names, "labeler")]
    assert places == sorted(places)
    assert len(columns) == len(set(columns))


def test_neurons_are_those_of_scalecert_alone(tmp_path):
    patches_run(tmp_path / "a", 3, 1)
    patches_run(tmp_path / "b", 3, 1, method="minority")
    assert [row["cut"] for row in rows_of(tmp_path)] == ["stem", None]


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"target": "nets/a/model", "surrogate": "nets/b"}, "a"),
        ({"surrogate": "nets/b/"}, "b"),
        ({"arch": "resnet20"}, "resnet20"),
        ({"target": "model"}, "model"),
        ({}, None),
    ],
)
def test_a_model_has_the_name_of_its_folder(tmp_path, fields, name):
    write_run(tmp_path / "one", "evaluate", fields, [])
    assert rows_of(tmp_path)[0]["model"] == name


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"defense": "gcm"}, "gcm"),
        ({"purify": "jpeg:75", "defense": "trn:nets/trn/model"}, "jpeg:75,trn:trn"),
        ({"purify": "jpeg:75, denoise:nets/d"}, "jpeg:75,denoise:d"),
        ({"purify": None}, None),
        ({"purify": "none"}, None),
        ({"purify": "none", "defense": "gcm"}, "gcm"),
    ],
)
def test_a_defense_has_the_names_of_its_layers(tmp_path, fields, name):
    write_run(tmp_path / "one", "evaluate", fields, [])
    assert rows_of(tmp_path)[0]["defense"] == name
