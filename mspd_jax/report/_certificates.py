"""Certificates under noise in a report: a table, a plot, how both may fail."""

from collections.abc import Sequence

from mspd_jax.errors import InputError
from mspd_jax.report._best import Best, best_over_sigma
from mspd_jax.report._failures import failures, failures_of_best
from mspd_jax.report._plot import (
    certified_curve,
    certified_plot,
    distinguishing_parts,
)
from mspd_jax.report._rows import (
    CERTIFIED,
    Row,
    certified_radii,
    certifies_noise,
    summary_rows,
)
from mspd_jax.report._section import Section, section
from mspd_jax.report._tables import markdown_table, marked_name, share
from mspd_jax.runs import Run

_NOTES = """
Percent of all images, cut and never rounded up: those whose class is right and
certified, at any radius (certified %) or on the whole open l2 ball of the radius at the
head of the column. n: samples of noise that bound the radius; samples drawn: mean over
the images.
"""
_FAST = (
    "stopped fast: images whose chosen class was wrong were not estimated, and others "
    "were given up when a claim was unlikely; all of these count as abstained"
)
_ONE_RADIUS = (
    "asked only about radius {:g}, and stopped an image when that was known: at other "
    "radii full runs may certify more"
)


def certified_section(runs: Sequence[Run]) -> Section:
    """Certifications under noise: a table, their plot, and how both may fail."""
    runs = [run for run in runs if certifies_noise(run)]
    if not runs:
        return Section()
    rows = summary_rows(runs)
    pairs = list(zip(runs, rows, strict=True))
    for pair in pairs:
        _check(*pair)
    # The others are unfinished, have no images, or no labels.
    measured = [pair for pair in pairs if pair[1]["certified_accuracy"] is not None]
    best = best_over_sigma(measured)
    text = _table(rows, best) + _NOTES
    lines = [*failures([row for _, row in measured]), *map(failures_of_best, best)]
    lines += _early_stops(runs)
    text += "".join(f"\n- {line}." for line in lines) + "\n" * bool(lines)
    return section(
        text,
        name="certified.png",
        png=_plot([(run, row) for run, row in measured if run.records]),
        alt="certified accuracy against the l2 radius",
        title="Certified accuracy",
    )


def _check(run: Run, row: Row) -> None:
    """InputError unless the folder says what its certificates are."""
    for name, most in (("sigma", float("inf")), ("alpha", 1.0)):
        value = row[name]
        if not isinstance(value, int | float) or not 0.0 < value < most:
            raise InputError(
                f"{run.path}: its run.json holds no {name} of a certification (got "
                f"{value!r}); run the job again"
            )
    for record in run.records:
        if not {"radius", "correct"} <= record.keys():
            raise InputError(
                f"the records of {run.path} hold no certificate of image "
                f"{record['index']}; run the job again"
            )


def _table(rows: Sequence[Row], best: Sequence[Best]) -> str:
    """The rows, each best one after the last of those that it is chosen from."""
    radii = certified_radii(rows)
    shown = []
    for row in rows:
        shown += [row, *(b.row for b in best if b.members[-1] is row)]
    table = [_table_row(row, radii) for row in shown]
    return markdown_table(table, list(table[0]))


def _table_row(row: Row, radii: Sequence[str]) -> Row:
    drawn, seconds = row["samples_drawn"], row["seconds_per_image"]
    return {
        "run": marked_name(row),
        **{key: row[key] for key in ("method", "model", "denoiser", "sigma")},
        "n": row["samples"],
        "images": row["images"],
        "certified %": share(row, "certified_accuracy"),
        **{radius: share(row, CERTIFIED + radius) for radius in radii},
        "abstained %": share(row, "abstained"),
        "samples drawn": None if drawn is None else f"{drawn:.0f}",
        "seconds / image": seconds and f"{seconds:.3g}",
    }


def _early_stops(runs: Sequence[Run]) -> list[str]:
    """What runs did not look at, hence cannot claim."""
    fast = [run.name for run in runs if run.fields.get("early_stop") == "fast"]
    lines = [f"{', '.join(fast)}: {_FAST}"] if fast else []
    for radius in dict.fromkeys(run.fields.get("radius") for run in runs):
        if radius is not None:
            names = [run.name for run in runs if run.fields.get("radius") == radius]
            lines.append(f"{', '.join(names)}: {_ONE_RADIUS.format(radius)}")
    return lines


def _plot(measured: Sequence[tuple[Run, Row]]) -> bytes | None:
    if not measured:
        return None
    names = _line_names([row for _, row in measured])
    curves = [
        certified_curve(name, run.records)
        for name, (run, _) in zip(names, measured, strict=True)
    ]
    return certified_plot(curves, label="l2 radius (pixel values from 0 to 1)")


def _line_names(rows: Sequence[Row]) -> list[str]:
    """What distinguishes the lines of the plot: sigma and what else differs."""
    kinds = [
        (
            str(row["model"]),
            row["denoiser"] or "no denoiser",
            f"n = {row['samples']}",
            str(row["source"]),
        )
        for row in rows
    ]
    names = [
        ", ".join([*parts, f"sigma {row['sigma']:g}"])
        for parts, row in zip(distinguishing_parts(kinds), rows, strict=True)
    ]
    return names if len(set(names)) == len(names) else [row["run"] for row in rows]
