"""The methods of certifying: names, and which fields go with which."""

import pytest

from mspd_jax import jobs
from mspd_jax.jobs import choice_name, choices_of, groups_of, options_of

METHODS = {
    "smoothing": jobs.Smoothing,
    "denoised": jobs.Denoised,
    "scalecert": jobs.ScaleCert,
    "minority": jobs.Minority,
    "patchcleanser": jobs.PatchCleanser,
}


def test_the_methods_by_name():
    kinds = choices_of(jobs.Certify)["method"]
    assert {choice_name(kind): kind for kind in kinds} == METHODS


@pytest.mark.parametrize(
    ("name", "methods"),
    [
        ("sigma", "smoothing denoised"),
        ("denoiser", "denoised"),
        ("patch", "scalecert minority patchcleanser"),
        ("confidence", "scalecert minority"),
        ("keep", "scalecert"),
    ],
)
def test_a_field_goes_with_the_methods_that_read_it(name, methods):
    held = {m for m, kind in METHODS.items() if name in kind.__dataclass_fields__}
    assert held == set(methods.split())


def test_only_noise_asks_and_only_windows_are_attacked():
    groups = {name: groups_of(kind) for name, kind in METHODS.items()}
    asking, attacks = {"asking": jobs.Asking}, {"attacks": jobs.PatchAttacks}
    assert groups == {
        "smoothing": asking,
        "denoised": asking,
        "scalecert": attacks,
        "minority": attacks,
        "patchcleanser": attacks,
    }
    # A command names a group by its first field.
    assert options_of(jobs.Asking)[0].name == "query"
    assert options_of(jobs.PatchAttacks)[0].name == "attack"


def test_what_must_be_chosen_has_no_default():
    with pytest.raises(TypeError, match="sigma"):
        jobs.Smoothing()
    with pytest.raises(TypeError, match="patch"):
        jobs.ScaleCert()
