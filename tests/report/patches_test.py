"""The section of a report on certificates against patches."""

from mspd_jax.report._certificates import certified_section
from mspd_jax.report._patches import patches_section
from mspd_jax.report._section import Section
from mspd_jax.runs import read_runs
from tests.report.folders import certify_run, patches_run, table_of


def section_of(path):
    return patches_section(read_runs([str(path)]))


def test_a_row_says_what_was_certified_and_at_what_cost(tmp_path):
    patches_run(tmp_path / "one", 3, 1)
    section = section_of(tmp_path)
    (row,) = table_of(section.text)
    assert row == {
        "run": "one",
        "method": "scalecert",
        "model": "small",
        "patch": "2",
        "windows": "9",
        "cut": "stem",
        "neurons kept": "0.05",
        "images": "3",
        "certified %": "33.3 (6.0 to 79.0)",
        "clean %": "66.6 (20.0 to 94.0)",
        "right, alert or not %": "100.0",
        "alerts %": "33.4",  # what is bad is rounded up
        "predictions / image": "30.0",
        "ms / image": "10",
    }
    assert not section.pictures and "patches.png" not in section.text


def test_what_attacks_leave_undetected_is_rounded_up_and_has_no_time(tmp_path):
    patches_run(tmp_path / "one", 3, 1, undetected={"pgd": 2 / 3})
    (row,) = table_of(section_of(tmp_path).text)
    assert row["undetected, pgd %"] == "66.7" and "ms / image" not in row


def test_an_unfinished_run_has_no_numbers(tmp_path):
    patches_run(tmp_path / "cut", 3, 1, finished=False)
    (row,) = table_of(section_of(tmp_path).text)
    assert row["run"] == "cut (unfinished)" and "certified %" not in row


def test_a_line_for_each_kind_of_several_windows(tmp_path, monkeypatch):
    seen = []

    def plot(curves, **labels):
        seen.extend(curves)
        return b"png"

    monkeypatch.setattr("mspd_jax.report._patches.accuracy_plot", plot)
    for windows, certified in ((2, 1), (3, 2)):
        patches_run(tmp_path / f"a{windows}", windows, certified)
        patches_run(tmp_path / f"b{windows}", windows, certified, keep=0.1)
    minority = {"method": "minority", "cut": None, "keep": None}
    patches_run(tmp_path / "c", 2, 1, **minority)  # one number of windows is no line
    section = section_of(tmp_path)
    assert section.pictures == {"patches.png": b"png"}
    assert "(patches.png)" in section.text
    assert [curve.name for curve in seen] == ["keep 0.05", "keep 0.1"]
    assert seen[0].points == [(20.0, 1 / 3, 0.06, 0.79), (30.0, 2 / 3, 0.06, 0.79)]


def test_certificates_under_noise_are_not_in_it(tmp_path):
    certify_run(tmp_path / "noise", (0.5,), sigma=0.25)
    assert section_of(tmp_path) == Section()
    patches_run(tmp_path / "patch", 3, 1)
    found = certified_section(read_runs([str(tmp_path)]))
    assert [row["run"] for row in table_of(found.text)] == ["noise"]
