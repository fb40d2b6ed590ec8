"""What mains print of results."""

import pytest

from launch import _show
from mspd_jax import models

BASE = {"name": "cifar10/Linf/A", "threat": "Linf", "eps": "8/255"}


@pytest.mark.parametrize(
    ("figures", "line"),
    [
        (
            {"clean": 92.44, "robust": 67.31},
            "cifar10/Linf/A: clean 92.44 %, robust 67.31 % (Linf 8/255)",
        ),
        (
            {"clean": 91.73, "robust": None},
            "cifar10/Linf/A: clean 91.73 % (Linf 8/255)",
        ),
        ({"clean": None, "robust": None}, "cifar10/Linf/A: no accuracies (Linf 8/255)"),
    ],
)
def test_published_figures_are_one_line(figures, line):
    assert _show._figures(BASE | figures) == line


def test_the_best_published_model_comes_first(capsys):
    rows = [models.find_published(n) for n in ("oval_wide", "Carmon2019Unlabeled")]
    assert _show.published(rows) == 0
    head, first, second, last = capsys.readouterr().out.splitlines()
    assert head.split()[:3] == ["model", "clean", "robust"]
    assert first.split()[:3] == ["cifar10/Linf/Carmon2019Unlabeled", "89.69", "59.53"]
    assert second.startswith("cifar10/Linf/oval_wide")
    assert last == "2 models, of which 2 can be converted"


@pytest.mark.parametrize("terminal", [True, False])
def test_a_person_who_waits_is_told_what_begins(capsys, monkeypatch, terminal):
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)
    _show.beginning("launch.train_trn", "OUT")
    _show.beginning("launch.convert", "")  # which lists models, and writes nothing
    line = "train_trn begins; its results go to OUT\n"
    assert capsys.readouterr().err == (line if terminal else "")
