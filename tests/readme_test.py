"""The code of the README runs as it stands."""

import functools
import pathlib
import re

import pytest

from tests.launch import mains

ROOT = pathlib.Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """The fenced code blocks of a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


# The later ones compile whole evaluations and certificates.
_FAST = 3


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(n, marks=[pytest.mark.slow] if n >= _FAST else [])
        for n in range(len(blocks("python")))
    ],
)
def test_python_blocks_run(number, tmp_path):
    code, _, err = mains.run_code(blocks("python")[number], tmp_path)
    assert code == 0, err


def test_there_is_python_to_run():
    assert len(blocks("python")) >= 2


def _commands() -> list[str]:
    text = "".join(blocks("bash")).replace("\\\n", " ")
    return [line for line in text.splitlines() if "python -m launch." in line]


@functools.cache
def _help(job, *switches):
    return mains.run(job, *switches, "--helpfull")[1]


@pytest.mark.parametrize("command", _commands())
def test_commands_name_mains_and_flags_that_exist(command):
    job = re.search(r"python -m launch\.(\w+)", command).group(1)
    # These choose another job of the same main, and the job of a sweep's cells.
    told = _help(job, *re.findall(r"--list|--job=\w+", command))
    for flag in re.findall(r"--(\w+)", command.split("launch.", 1)[1]):
        assert re.search(rf"--(\[no\])?{flag}:", told), f"{job} has no --{flag}"
    assert told


def test_ci_runs_the_test_command_of_the_readme():
    command = next(line.strip() for line in README.splitlines() if "-m pytest" in line)
    assert command in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
