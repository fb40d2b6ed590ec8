"""Fields of jobs: types, defaults, bounds, and those that hold one of several."""

import dataclasses

import pytest

from mspd_jax.jobs import choices_of, groups_of, option, options_of


@dataclasses.dataclass(frozen=True)
class Thin:
    width: int = option(3, help="of the line", lower=1)


@dataclasses.dataclass(frozen=True)
class Thick:
    NAME = "bold"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Draw:
    source: str | list = option(help="where from")
    eps: float | str | None = option(None, help="radius")
    count: int | None = option(None, help="how many")
    share: float = option(0.5, help="of all", lower=0.0, upper=1.0)
    quick: bool = option(False, help="or not")
    kind: str = option("a", help="which", choices=("a", "b"))
    names: tuple[str, ...] = option((), help="some")
    pen: Thin | Thick = option(Thin(), help="the pen")


def test_every_field_has_its_type_default_and_bounds():
    found = {o.name: o for o in options_of(Draw)}
    assert {name: o.kind for name, o in found.items()} == {
        "source": str,
        "eps": str,
        "count": int,
        "share": float,
        "quick": bool,
        "kind": str,
        "names": tuple,
    }
    assert found["source"].default is dataclasses.MISSING
    assert (found["share"].lower, found["share"].upper) == (0.0, 1.0)
    assert found["kind"].choices == ("a", "b")
    assert found["names"].help == "some"


def test_nested_choices_are_found_by_their_dataclasses():
    assert choices_of(Draw) == {"pen": (Thin, Thick)}
    assert choices_of(Thin) == {}


def test_a_single_dataclass_that_may_be_none_is_a_group():
    @dataclasses.dataclass(frozen=True)
    class Grouped:
        pen: Thin | Thick | None = option(None, help="one of several is a choice")
        line: Thin | None = option(None, help="a group")
        always: Thin | None = option(Thin(), help="is there anyway")

    assert groups_of(Grouped) == {"line": Thin}
    assert groups_of(Draw) == {}


def test_an_example_is_for_messages():
    @dataclasses.dataclass(frozen=True)
    class Wide:
        width: int = option(help="of the line", example="3")

    assert [o.example for o in options_of(Wide)] == ["3"]
    assert [o.example for o in options_of(Thin)] == [None]


def test_a_field_that_no_flag_could_hold_is_refused():
    @dataclasses.dataclass(frozen=True)
    class Odd:
        there: complex = option(1j, help="?")

    with pytest.raises(TypeError, match="complex"):
        options_of(Odd)
