"""The code, the commands and the links of README and docs/ lead where they say."""

import functools
import pathlib
import re

import pytest

from tests.launch import mains

ROOT = pathlib.Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
}

# The blocks of these pages are quick; others compile whole evaluations and defenses.
_FAST = ("README.md", "docs/certify.md[0]")
_OPTIONAL = "torch|grain"  # packages that a block may need, and the library does not


def blocks(language: str, text: str) -> list[str]:
    """The fenced code blocks of a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def _python() -> dict[str, str]:
    return {
        f"{name}[{number}]": block
        for name, text in PAGES.items()
        for number, block in enumerate(blocks("python", text))
    }


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(n, marks=[] if n.startswith(_FAST) else [pytest.mark.slow])
        for n in _python()
    ],
)
def test_python_blocks_run(name, tmp_path):
    for package in re.findall(rf"^import ({_OPTIONAL})$", _python()[name], re.M):
        pytest.importorskip(package, reason=f"needs {package}")
    code, _, err = mains.run_code(_python()[name], tmp_path)
    assert code == 0, err


def test_there_is_python_to_run():
    found = _python()
    assert len(found) >= 6
    assert all(any(n.startswith(fast) for n in found) for fast in _FAST)


def _commands() -> list[tuple[str, str]]:
    """Each command of a page, in a fenced block or an indented one."""
    found = []
    for name, text in PAGES.items():
        indented = re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
        lines = "".join(blocks("bash", text)) + "".join(
            re.findall(r"^    .*\n", indented, re.MULTILINE)
        )
        for line in lines.replace("\\\n", " ").splitlines():
            if re.match(r"\s*(python -m launch\.|mspd )\w", line):
                found.append((name, " ".join(line.partition(" # ")[0].split())))
    return found


@functools.cache
def _help(job, *switches):
    return mains.run(job, *switches, "--helpfull")[1]


def _choosing(job, words):
    """What chooses another set of flags of the same main: see their docstrings."""
    chosen = [w for w in words if w == "--list" or w.startswith("--job=")]
    source = next((w for w in words if w.startswith("--source=")), "--source=digits:")
    if job == "protect" and ":" not in source:
        chosen.append("--source=.")
    return [*words[:1], *chosen] if job == "compile" else chosen


@pytest.mark.parametrize(
    "command", [pytest.param(line, id=f"{p}:{line}") for p, line in _commands()]
)
def test_commands_name_mains_and_flags_that_exist(command):
    job, *words = re.split(r"python -m launch\.|mspd ", command, maxsplit=1)[1].split()
    told = _help(job, *_choosing(job, words))
    for flag in re.findall(r"--(\w+)", " ".join(words)):
        assert re.search(rf"--(\[no\])?{flag}:", told), f"{job} has no --{flag}"
    assert told


def test_commands_of_all_pages_and_kinds_are_found():
    found = _commands()
    assert {"README.md", "docs/pictures.md", "docs/sweeps.md"} <= {p for p, _ in found}
    assert len(found) >= 40


_RESULTS = [p.relative_to(ROOT).as_posix() for p in (ROOT / "results").rglob("*.md")]


@pytest.mark.parametrize(
    "name", [*PAGES, "CONTRIBUTING.md", "CHANGELOG.md", *sorted(_RESULTS)]
)
def test_links_lead_to_files_that_exist(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"https?:|#", target):
            path = (ROOT / name).parent / target.partition("#")[0]
            assert path.exists(), f"{name} leads to {target}"


def test_the_readme_is_for_ten_minutes_and_leads_to_every_page():
    assert len(README.splitlines()) <= 200
    for name in PAGES:
        assert name == "README.md" or f"]({name})" in README


def test_ci_runs_the_test_command_of_the_readme():
    command = next(line.strip() for line in README.splitlines() if "-m pytest" in line)
    assert command in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
