"""The best over sigma: which runs it is chosen from, and what it says."""

import pytest

from mspd_jax.smoothing import wrong_certificates
from tests.report.folders import MIDDLE, NARROW, WIDE, certify_run, section_of, table_of


def test_best_over_sigma_is_the_maximum_at_each_radius(tmp_path):
    paths = [
        certify_run(tmp_path / f"s{s['sigma']}", **s) for s in (NARROW, MIDDLE, WIDE)
    ]
    other = certify_run(tmp_path / "other", (9.0, 9.0, 9.0), sigma=1.0, samples=500)
    section, _ = section_of(*paths, other)
    rows = table_of(section)
    assert [row["run"] for row in rows] == [
        "s0.12",
        "s0.25",
        "s0.5",
        "best over sigma, chosen afterwards",
        "other",
    ]
    best = rows[3]
    assert best["sigma"] == "0.12 / 0.25 / 0.5" and best["model"] == "small"
    shares = [best[name] for name in ("certified %", "0.25", "0.5", "1.0", "1.5")]
    assert shares == ["100.0", "66.6", "66.6", "33.3", "0.0"]
    assert best["abstained %"] == best["samples drawn"] == "–"
    # Union over 3 runs of 3 images at alpha .001, and a third of .001 for each run.
    (line,) = [x for x in section.splitlines() if x.startswith("- best over sigma")]
    assert "best of s0.12, s0.25, s0.5, chosen after the results were seen" in line
    assert "3 x 3 certificates none is wrong with probability at least 99.1 %" in line
    wrong = wrong_certificates(3, alpha=0.001, confidence=1 - 0.001 / 3)
    assert f"at most {wrong} in each run" in line


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        ({}, {}, True),
        ({}, {"seed": 1}, False),
        ({}, {"source": "digits:train"}, False),
        ({}, {"target": "nets/large/model"}, False),
        ({}, {"models": {"target": "cd"}}, False),  # trained again in the same place
        ({"denoiser": "d/mse_0.25/model"}, {"denoiser": "d/mse_0.5/model"}, True),
        ({"denoiser": "d/mse025"}, {"denoiser": "d/mse050"}, True),
        ({"denoiser": "d/mse_.25"}, {"denoiser": "d/mse_.5"}, True),
        ({"denoiser": "d/mse_0.25"}, {"denoiser": "d/stab_0.5"}, False),
        ({"denoiser": "d/mse_0.255"}, {"denoiser": "d/mse_0.55"}, False),
        ({"denoiser": "d/v10.25"}, {"denoiser": "d/v10.5"}, False),
        ({"denoiser": "d/mse_0.25"}, {}, False),
    ],
)
def test_runs_that_differ_in_sigma_alone(tmp_path, one, other, together):
    certify_run(tmp_path / "one", (0.5, 0.4), sigma=0.25, **one)
    certify_run(tmp_path / "other", (0.5, 0.6), sigma=0.5, **other)
    table = table_of(section_of(tmp_path)[0])
    found = [row for row in table if row["run"].startswith("best over sigma")]
    assert len(found) == together


def test_other_images_and_the_same_sigma_are_no_group(tmp_path):
    certify_run(tmp_path / "one", (0.5, 0.4), sigma=0.25)
    certify_run(tmp_path / "fewer", (0.5,), sigma=0.5)
    certify_run(tmp_path / "again", (0.5, 0.4), sigma=0.25)
    assert "best over sigma" not in section_of(tmp_path)[0]
