"""Flags from a job's fields: its choices, groups and machine, and what is refused."""

import json

import pytest

from tests.launch import mains

# A job of its own, read from several command lines in one process.
CODE = """
import dataclasses, json, sys
from typing import ClassVar
from absl import flags
from launch import _job_flags
from mspd_jax.errors import InputError
from mspd_jax.jobs import Machine, fields_of, option

@dataclasses.dataclass(frozen=True, kw_only=True)
class Sender:
    address: str = option(help="where to")
    copies: int = option(1, help="how many", lower=1)

@dataclasses.dataclass(frozen=True, kw_only=True)
class Pen:
    width: float = option(help="of the line", example="0.5")
    ink: str = option("blue", help="color")
    sender: Sender | None = option(None, help="a group")

@dataclasses.dataclass(frozen=True, kw_only=True)
class Brush:
    NAME: ClassVar[str] = "wide"
    hairs: int = option(9, help="how many")

@dataclasses.dataclass(frozen=True, kw_only=True)
class Draw:
    MACHINE: ClassVar[Machine] = Machine(batch_size=3)
    names: tuple[str, ...] | None = option(None, help="some")
    tool: Pen | Brush = option(help="what with", example="pen")

_job_flags.define(Draw)
for line in LINES:
    flags.FLAGS.unparse_flags()
    for flag in flags.FLAGS.flags_by_module_dict()["launch._job_flags"]:
        flag.present, flag.value = 0, flag.default
    try:
        flags.FLAGS(["draw", "--out=OUT", *line])
        job, machine = _job_flags.parsed(Draw)
        print(json.dumps([fields_of(job), machine.batch_size]))
    except (InputError, flags.Error) as error:
        print(json.dumps(str(error)))
"""

PEN = ("--width=2",)
LINES = {
    "default choice": PEN,
    "another": ("--tool=wide", "--hairs=3", "--names=a,b", "--batch_size=5"),
    "group": (*PEN, "--address=home", "--copies=2"),
    "missing": (),
    "of another choice": ("--tool=wide", "--ink=red"),
    "of the group of another choice": ("--tool=wide", "--copies=2"),
    "of a group that is not there": (*PEN, "--copies=2"),
    "no such choice": ("--tool=knife",),
    "fraction": ("--width=6/255",),
    "divided by nothing": ("--width=1/0",),
    "below": (*PEN, "--address=home", "--copies=0"),
}


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("flags")
    code = f"LINES = {list(LINES.values())!r}\n{CODE}"
    code, out, err = mains.run_code(code, folder)
    assert code == 0, err
    return dict(zip(LINES, map(json.loads, out.splitlines()), strict=True))


def test_a_choice_is_made_of_the_flags_that_go_with_it(answers):
    fields, batch_size = answers["default choice"]
    assert fields == {
        "names": None,
        "tool": "pen",
        "width": 2.0,
        "ink": "blue",
        "sender": None,
    }
    assert batch_size == 3
    found = {"names": ["a", "b"], "tool": "wide", "hairs": 3}
    assert answers["another"] == [found, 5]


def test_a_group_is_there_if_its_first_flag_is_set(answers):
    fields, _ = answers["group"]
    assert (fields["address"], fields["copies"]) == ("home", 2)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("missing", "`tool`=pen needs `width`, as in `width`=0.5"),
        ("of another choice", "`ink` does not go with `tool`=wide"),
        ("of the group of another choice", "`copies` does not go with `tool`=wide"),
        ("of a group that is not there", "`copies` goes with `address` alone"),
        ("no such choice", "knife"),
        ("below", "copies"),
    ],
)
def test_what_does_not_fit_is_refused(answers, name, words):
    assert isinstance(answers[name], str) and words in answers[name]


def test_a_number_may_be_a_fraction(answers):
    fields, _ = answers["fraction"]
    assert fields["width"] == 6 / 255
    assert answers["divided by nothing"].startswith("flag --width=1/0: ")
