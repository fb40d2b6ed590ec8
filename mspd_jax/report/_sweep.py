"""Sweeps in a report: a table by the fields that vary, a picture per pair of them."""

import itertools
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from mspd_jax.report._grid_plot import Cells, grid_plot
from mspd_jax.report._rows import Row, path_name, summary_columns, summary_rows
from mspd_jax.report._section import Section
from mspd_jax.report._summary import table_rows
from mspd_jax.report._tables import csv_table, markdown_table
from mspd_jax.runs import Run, Sweep

# What a picture shows of a run of a job: the first of these that it has.
_PROTECTED = ("linf_mean", "l2_mean")
_MEASURED = ("robust_accuracy", "certified_accuracy", "clean_accuracy")
_OTHERS = ("labeler_accuracy", "seconds_per_image")
_WORDS = {
    "linf_mean": ("mean l_inf distance (levels of 255)", 255.0),
    "l2_mean": ("mean l_2 distance", 1.0),
    "robust_accuracy": ("robust accuracy, worst case, %", 100.0),
    "certified_accuracy": ("certified accuracy, %", 100.0),
    "clean_accuracy": ("clean accuracy, %", 100.0),
    "labeler_accuracy": ("labels right, %", 100.0),
    "seconds_per_image": ("seconds / image", 1.0),
}
# Columns of the first table that say what a run is.
_NAMES = {"run", "job", "model", "defense", "source", "eps"}


def sweeps_section(sweeps: Sequence[Sweep]) -> Section:
    """For each sweep, and each job in it, what its cells found, by what differs."""
    text = ""
    pictures: dict[str, bytes] = {}
    for sweep in sweeps:
        jobs = dict.fromkeys(str(run.info.get("job")) for run in sweep.runs)
        text += f"\n## Sweep {sweep.path.name}\n\n{_state(sweep)}"
        for job in jobs:
            own = [run for run in sweep.runs if run.info.get("job") == job]
            axes = axes_of(own)
            if not axes:
                continue
            number = f"{len(pictures)}_" if pictures else ""
            text += f"\n### {job}\n\n{markdown_table(_table(own, axes))}"
            for name, png, alt in _pictures(own, axes, number):
                pictures[name] = png
                text += f"\n![{alt}]({name})\n"
        for failure in sweep.failed:
            text += f"\n- {failure.get('cell')}: {failure.get('error')}"
        text += "\n" * bool(sweep.failed)
    return Section(text, pictures)


def sweep_csv(sweeps: Sequence[Sweep]) -> str:
    """A row for each run of the sweeps: the fields that vary, and all numbers."""
    runs = [run for sweep in sweeps for run in sweep.runs]
    axes, rows = axes_of(runs), summary_rows(runs)
    values = [{f"field:{name}": run.fields.get(name) for name in axes} for run in runs]
    columns = [*(f"field:{name}" for name in axes), *summary_columns(rows)]
    return csv_table([v | r for v, r in zip(values, rows, strict=True)], columns)


def axes_of(runs: Sequence[Run]) -> list[str]:
    """The fields in which runs differ."""
    names = dict.fromkeys(name for run in runs for name in run.fields)
    return [n for n in names if len({str(run.fields.get(n)) for run in runs}) > 1]


def _state(sweep: Sweep) -> str:
    unfinished = sum(run.summary is None for run in sweep.runs)
    text = f"{len(sweep.runs)} runs"
    text += f", {unfinished} of them unfinished" if unfinished else ""
    text += f", {len(sweep.failed)} cells failed" if sweep.failed else ""
    return f"{text}.\n"


def _table(runs: Sequence[Run], axes: Sequence[str]) -> list[Row]:
    """Rows in words, sorted by the fields that vary, which come first."""
    rows = zip(runs, table_rows(summary_rows(runs)), strict=True)
    order = {axis: _ordered(runs, axis) for axis in axes}
    found = [
        {axis: _label(run, axis) for axis in axes}
        | {name: value for name, value in row.items() if name not in _NAMES}
        for run, row in rows
    ]
    return sorted(found, key=lambda row: [order[a].index(row[a]) for a in axes])


def _pictures(
    runs: Sequence[Run], axes: Sequence[str], number: str
) -> list[tuple[str, bytes, str]]:
    """(file, PNG, what it shows) for each pair of fields, or for the only one."""
    rows = summary_rows(runs)
    job = str(runs[0].info.get("job"))
    first = _PROTECTED if job in ("protect", "revert") else _MEASURED
    keys = [k for k in (*first, *_OTHERS) if any(r.get(k) is not None for r in rows)]
    if not keys:
        return []
    words, scale = _WORDS[keys[0]]
    found = []
    pairs = list(itertools.combinations(axes, 2)) or [(axes[0], axes[0])]
    for down, across in pairs:
        values: dict[tuple[str, str], list[float]] = {}
        for run, row in zip(runs, rows, strict=True):
            if row.get(keys[0]) is not None:
                place = _label(run, down), _label(run, across)
                values.setdefault(place, []).append(scale * row[keys[0]])
        left = _ordered(runs, down) if down != across else [""]
        if down == across:
            values = {("", column): v for (_, column), v in values.items()}
        cells = Cells(down * (down != across), across, left, _ordered(runs, across))
        others = [axis for axis in axes if axis not in (down, across)]
        title = f"{job}: {words}"
        title += f"\nmean over {', '.join(others)}" * bool(others)
        alt = f"{words} by {across}" + f" and {down}" * (down != across)
        name = "_".join(dict.fromkeys((down, across)))
        png = grid_plot(cells, values, title=title)
        found.append((f"sweep_{number}{job}_{name}.png", png, alt))
    return found


def _label(run: Run, axis: str) -> str:
    """The value of a field, of a path its end."""
    value = run.fields.get(axis)
    text = value if isinstance(value, str) else str(value)
    return text if _number(text) is not None else path_name(text) or text


def _ordered(runs: Sequence[Run], axis: str) -> list[str]:
    """The values of a field, numbers by size, others as they come."""
    labels = list(dict.fromkeys(_label(run, axis) for run in runs))
    numbers: Mapping[str, Any] = {label: _number(label) for label in labels}
    if None in numbers.values():
        return labels
    return sorted(labels, key=lambda label: numbers[label])


def _number(text: str) -> Fraction | None:
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError):
        return None
