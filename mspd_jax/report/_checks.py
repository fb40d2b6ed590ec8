"""The section of a report that says how far its numbers can be trusted."""

from collections.abc import Mapping, Sequence
from typing import Any

from mspd_jax.report._section import Section
from mspd_jax.report._tables import markdown_table
from mspd_jax.runs import Run

_OUTCOME = {True: "passed", False: "FAILED", None: "not measured"}
_COLUMNS = ("check", "outcome", "measured", "threshold", "what to do")


def checks_section(runs: Sequence[Run]) -> Section:
    """For each evaluation what every reliability check measured, failures first."""
    text = ""
    for run in runs:
        summary = run.summary or {}
        if run.info.get("job") != "evaluate" or "reliable" not in summary:
            continue
        text += f"\n### {run.name}\n\n{_outcome(summary)}\n"
        rows = [_row(check) for check in summary["reliability"]]
        rows.sort(key=lambda row: row["outcome"] != _OUTCOME[False])
        text += f"\n{markdown_table(rows, _COLUMNS)}" if rows else ""
    return Section(f"\n## Can the numbers be trusted?\n{text}" if text else "")


def _outcome(summary: Mapping[str, Any]) -> str:
    checks = summary["reliability"]
    if not checks:
        return "No check was made (`--check_images=0`)."
    failed = [check["name"] for check in checks if check["passed"] is False]
    if failed:
        return f"**Unreliable**: {', '.join(failed)} failed. Do not quote the number."
    return "No check failed. That is no proof: a stronger attack may still exist."


def _row(check: Mapping[str, Any]) -> dict[str, Any]:
    passed = check["passed"]
    return {
        "check": check["name"],
        "outcome": _OUTCOME[passed],
        "measured": check["measured"],
        "threshold": check["threshold"],
        "what to do": check["advice"] if passed is False else None,
    }
