"""The best over sigma: certifications that differ in their noise alone, taken together.

Papers quote it. It is a choice made after the results were seen.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from mspd_jax.report._rows import CERTIFIED, Row
from mspd_jax.runs import Run

# Roles whose checkpoint may belong to one sigma, as in nets/mse_0.25.
_ROLES = ("target", "denoiser")


class Best(NamedTuple):
    """A summary row with the largest share at each radius, and those it is from."""

    row: Row
    members: list[Row]


def best_over_sigma(measured: Sequence[tuple[Run, Row]]) -> list[Best]:
    """A `Best` for each group of runs that differ in sigma alone.

    Checkpoints may differ as well where the sigma of the run is in their path: a
    denoiser belongs to one sigma. measured: runs with their summary rows.
    """
    groups: list[list[tuple[Run, Row]]] = []
    for run, row in measured:
        group = next((g for g in groups if _alike(g[0], (run, row))), None)
        if group is None:
            groups.append([(run, row)])
        else:
            group.append((run, row))
    members = [[row for _, row in group] for group in groups]
    return [Best(_best(m), m) for m in members if len({row["sigma"] for row in m}) > 1]


def _alike(one: tuple[Run, Row], other: tuple[Run, Row]) -> bool:
    """Whether two runs differ in nothing but sigma and checkpoints named after it."""
    (run, row), (run2, row2) = one, other
    if row["images"] != row2["images"]:
        return False
    apart = {"sigma", *_ROLES}
    names = (run.fields.keys() | run2.fields.keys()) - apart
    if any(run.fields.get(name) != run2.fields.get(name) for name in names):
        return False
    return all(_same_model(role, run, run2) for role in _ROLES)


def _same_model(role: str, run: Run, other: Run) -> bool:
    path, path2 = (r.fields.get(role) for r in (run, other))
    if path == path2:
        one, two = ((r.info.get("models") or {}).get(role) for r in (run, other))
        return one == two
    kept = _without_sigma(str(path), run.fields["sigma"])
    return not kept.isdisjoint(_without_sigma(str(path2), other.fields["sigma"]))


def _without_sigma(path: str, sigma: float) -> set[str]:
    """The path with its sigma (.25 as 0.25, .25, 025 or 25) taken out, where it is."""
    short, hundredths = f"{sigma:g}", f"{100 * sigma:g}"
    spellings = {short, str(float(sigma)), f"{sigma:.2f}", short.removeprefix("0")}
    spellings |= {hundredths, hundredths.zfill(3)}
    # Not within a longer number: 0.255 and 10.25 do not contain 0.25.
    changed = {
        re.sub(rf"(?<![\d.]){re.escape(s)}(?!\.?\d)", "SIGMA", path) for s in spellings
    }
    return changed - {path}


def _best(rows: Sequence[Row]) -> Row:
    """A summary row of maxima, with what the members share."""
    first = rows[0]
    shares = [k for k in first if k == "certified_accuracy" or k.startswith(CERTIFIED)]
    row = {
        **first,
        "run": "best over sigma, chosen afterwards",
        "sigma": " / ".join(f"{s:g}" for s in sorted({r["sigma"] for r in rows})),
        "abstained": None,
        "samples_drawn": None,
        "seconds_per_image": None,
        **{key: max(r.get(key, 0.0) for r in rows) for key in shares},
    }
    for role in ("model", "denoiser"):
        if len({r[role] for r in rows}) > 1:
            row[role] = "one per sigma"
    return row
