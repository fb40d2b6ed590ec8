"""Protects images before their release, and measures what that is worth.

mspd JOB --flags        the same as python -m launch.JOB --flags
mspd JOB --help         the flags of a job
"""

import ast
import difflib
import pathlib
import runpy
import sys

from launch import _pipe

_HERE = pathlib.Path(__file__).parent


def main() -> int | None:
    """Runs the main of the job that is named first."""
    jobs = {path.stem: path for path in sorted(_HERE.glob("[!_]*.py"))}
    jobs.pop("mspd")
    name = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if name in ("-h", "--help", "help"):
        with _pipe.unread_is_fine():
            print(f"{__doc__}\nJobs:\n{_table(jobs)}")
        return 0
    if name not in jobs:
        close = difflib.get_close_matches(name.replace("-", "_"), jobs, n=1, cutoff=0.4)
        hint = f"did you mean {close[0]}? " if close else ""
        print(
            f"error: no job {name!r}: {hint}(jobs: {', '.join(jobs)})", file=sys.stderr
        )
        return 2
    sys.argv = [f"mspd {name}", *sys.argv[2:]]
    runpy.run_module(f"launch.{name}", run_name="__main__", alter_sys=True)
    return 0


def _table(jobs: dict[str, pathlib.Path]) -> str:
    """Each job with the first line of its documentation; imports none of them."""
    width = max(map(len, jobs))
    lines = []
    for name, path in jobs.items():
        text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        lines.append(f"  {name:{width}}  {text.splitlines()[0]}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
