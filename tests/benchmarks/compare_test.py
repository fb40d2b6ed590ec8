"""Whether a run again of a table is said to agree with it."""

import pathlib
import subprocess
import sys

import pytest

from benchmarks import compare

ROOT = pathlib.Path(__file__).resolve().parents[2]
HEAD = "attack,images,target,guided,n,clean,robust,gain_clean,gain_robust\n"


def lines(shift=0.0, n=64, models="ab"):
    rows = [f"pgd,shield,{m},False,{n},0.8,{0.3 + shift},0.1,0.15" for m in models]
    return HEAD + "".join(row + "\n" for row in [*rows, "pgd,shield,g,True,64,1,1,1,1"])


def table(tmp_path, name, **options):
    path = tmp_path / name
    path.write_text(lines(**options))
    return path


def test_means_over_models_that_did_not_guide(tmp_path):
    mine = compare.read(table(tmp_path, "mine", shift=0.02))
    theirs = compare.read(table(tmp_path, "theirs"))
    assert compare.lacks(mine, theirs) is None
    (row,), apart = compare.compared(mine, theirs)
    assert row["models"] == 2 and row["robust"] == "32.0 (30.0)"
    assert apart == pytest.approx(2.0)


def test_more_models_and_kinds_than_were_asked_for_do_no_harm(tmp_path):
    mine = compare.read(table(tmp_path, "mine", models="abc"))
    assert compare.lacks(mine, compare.read(table(tmp_path, "theirs"))) is None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"models": "a"}, "no line on pgd, shield, b"),
        ({"n": 32}, "32 images, not 64, of pgd, shield, a"),
    ],
)
def test_what_was_not_made_again_is_told(tmp_path, options, words):
    mine = compare.read(table(tmp_path, "mine", **options))
    assert compare.lacks(mine, compare.read(table(tmp_path, "theirs"))) == words


@pytest.mark.parametrize(("shift", "code"), [(0.01, 0), (0.02, 1), (float("nan"), 1)])
def test_the_exit_code_says_whether_both_agree(tmp_path, shift, code):
    files = table(tmp_path, "mine", shift=shift), table(tmp_path, "theirs")
    command = [sys.executable, "-m", "benchmarks.compare", *map(str, files)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == code, done.stderr
    assert "| pgd | shield | 2 |" in done.stdout


def test_a_file_that_is_no_table_is_named(tmp_path):
    (tmp_path / "other.csv").write_text("run,job\n1,2\n")
    with pytest.raises(SystemExit, match="other.csv is no table of gains"):
        compare.read(tmp_path / "other.csv")
