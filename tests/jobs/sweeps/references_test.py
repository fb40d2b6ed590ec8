"""`@train` in a field: where it is one, what it becomes, in which order cells run."""

import pytest

from mspd_jax import jobs
from mspd_jax.errors import InputError
from mspd_jax.jobs.sweeps._references import (
    check_name,
    levels_of,
    needs_of,
    replaced,
)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("@train", "<train>"),
        ("@train/model", "<train>/model"),
        ("folder:@protect", "folder:<protect>"),
        ("bits:4,trn:@a.b,@c-d", "bits:4,trn:<a.b>,<c-d>"),
        ("http://user@host", "http://user@host"),
        ("a@b", "a@b"),
        ("no name: @", "no name: @"),
    ],
)
def test_a_name_is_one_at_the_head_of_a_part(text, wanted):
    assert replaced(text, lambda name: f"<{name}>") == wanted


def test_fields_at_any_depth_are_looked_at():
    method = jobs.Denoised(sigma=0.5, denoiser="@d")
    job = jobs.Certify(source="folder:@p", target="@t", method=method)
    assert sorted(needs_of([job], {"d": 4, "t": 2, "p": 0})[0]) == [0, 2, 4]
    found = replaced(job, str.upper)
    assert (found.source, found.target) == ("folder:P", "T")
    assert found.method == jobs.Denoised(sigma=0.5, denoiser="D")


def test_a_name_of_no_cell_gets_a_suggestion():
    job = jobs.Evaluate(source="digits:test", target="@trian")
    with pytest.raises(InputError, match="@trian names no cell: did you mean @train?"):
        needs_of([job], {"train": 0})


def test_levels_follow_the_needs():
    assert levels_of([(2,), (), (1,), ()], "abcd") == [2, 0, 1, 0]


def test_a_circle_is_refused_by_its_names():
    with pytest.raises(InputError, match="wait for each other: (a -> b|b -> a) -> "):
        levels_of([(1,), (0,)], ["a", "b"])


@pytest.mark.parametrize("name", ["a b", "", "a/b", "x."])
def test_a_name_that_no_field_could_say_is_refused(name):
    with pytest.raises(InputError, match="a cell is named by"):
        check_name(name)
