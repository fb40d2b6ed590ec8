"""How many certificates may be wrong, in words."""

from mspd_jax.smoothing import wrong_certificates
from tests.report.folders import certify_run, section_of


def test_the_union_over_runs_is_not_that_of_one(tmp_path):
    # 350 images: of one run at most 6 are wrong; to be as sure of two, 7 in each.
    radii = (0.5,) * 350
    one = certify_run(tmp_path / "a", radii, sigma=0.25, alpha=0.004)
    two = certify_run(tmp_path / "b", radii, sigma=0.5, alpha=0.004)
    section, _ = section_of(one, two)
    single = wrong_certificates(350, alpha=0.004, confidence=0.999)
    both = wrong_certificates(350, alpha=0.004, confidence=0.9995)
    assert (single, both) == (6, 7)
    assert f"at most {single} are wrong with" in section
    assert f"at most {both} in each run" in section
    # 350 * .004 > 1: the union bound says nothing, and so does the report.
    assert "none is wrong" not in section


def test_a_line_for_each_alpha(tmp_path):
    certify_run(tmp_path / "a", (0.5,) * 200, sigma=0.25)
    certify_run(tmp_path / "b", (0.5,) * 3, sigma=0.25)
    certify_run(tmp_path / "c", (0.5,) * 200, sigma=0.25, alpha=0.1)
    certify_run(tmp_path / "d", (0.5,) * 3, sigma=0.25, alpha=0.00015)
    section, _ = section_of(tmp_path)
    finest, fine, coarse = [x for x in section.splitlines() if x.startswith("- alpha")]
    # 1 - 3 * .00015 is 99.955 %, cut.
    assert "none is wrong with probability at least 99.9 %" in finest
    assert fine == (
        "- alpha = 0.001: each certificate is wrong with probability at most 0.001 "
        "over the noise; among the 3 of a run none is wrong with probability at least "
        "99.7 %, and at most 1 is wrong with confidence 99.9 %; among the 200 of a run "
        "none is wrong with probability at least 80.0 %, and at most 3 are wrong with "
        "confidence 99.9 %."
    )
    wrong = wrong_certificates(200, alpha=0.1, confidence=0.999)
    assert coarse.startswith("- alpha = 0.1") and "none is wrong" not in coarse
    assert f"at most {wrong} are wrong" in coarse
