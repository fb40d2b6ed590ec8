"""The section of a report on certificates: a table, a plot, and how both may fail."""

from collections.abc import Sequence

from launch._report_best import Best, best_over_sigma
from launch._report_rows import CERTIFIED, PATCHED, certified_radii
from mspd_jax import evaluate, smoothing
from mspd_jax.errors import InputError
from mspd_jax.runs import Run

_SURE = evaluate.percent(evaluate.CONFIDENCE)
_LABEL = "l2 radius (pixel values from 0 to 1)"
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
_ASKED = (
    "asked only about radius {:g}, and stopped an image when that was known: at other "
    "radii full runs may certify more"
)


def certified_section(
    runs: Sequence[Run], rows: Sequence[dict]
) -> tuple[str, bytes | None]:
    """Markdown of the section and PNG of its plot; nothing without certifications.

    rows: the raw rows of the runs.
    """
    found = [
        (run, row)
        for run, row in zip(runs, rows, strict=True)
        if row["job"] == "certify" and row["method"] not in PATCHED
    ]
    if not found:
        return "", None
    for run, row in found:
        _check(run, row)
    told = [(run, row) for run, row in found if _has_shares(row)]
    groups = best_over_sigma(told)
    radii = certified_radii(rows)
    table = []
    for _, row in found:
        table.append(_told(row, radii))
        table += [_told(b.row, radii) for b in groups if b.members[-1] is row]
    text = evaluate.markdown_table(table, list(table[0])) + _NOTES
    lines = [*_failures([row for _, row in told]), *map(_union, groups)]
    lines += _stopped([run for run, _ in found])
    text += "".join(f"\n- {line}." for line in lines) + "\n" * bool(lines)
    png = _plot(told)
    shown = "![certified accuracy against the l2 radius](certified.png)\n\n" * bool(png)
    return f"\n## Certified accuracy\n\n{shown}{text}", png


def _check(run: Run, row: dict) -> None:
    """InputError unless the folder says what its certificates are."""
    for name, most in (("sigma", float("inf")), ("alpha", 1.0)):
        value = row[name]
        if not isinstance(value, int | float) or not 0.0 < value < most:
            raise InputError(
                f"{run.path / 'run.json'} holds no {name} of a certification (got "
                f"{value!r}); run the job again"
            )
    for record in run.records:
        if not {"radius", "correct"} <= record.keys():
            raise InputError(
                f"the records of {run.path} hold no certificate of image "
                f"{record['index']}; run the job again"
            )


def _has_shares(row: dict) -> bool:
    """Whether the run is finished, has images, and their labels are known."""
    return row["certified_accuracy"] is not None


def _told(row: dict, radii: Sequence[str]) -> dict:
    def share(key):
        value = row.get(key)
        return None if value is None else evaluate.percent(value, row["images"])

    drawn, seconds = row["samples_drawn"], row["seconds_per_image"]
    return {
        "run": row["run"] + ("" if row["finished"] else " (unfinished)"),
        "method": row["method"],
        "model": row["model"],
        "denoiser": row["denoiser"],
        "sigma": row["sigma"],
        "n": row["samples"],
        "images": row["images"],
        "certified %": share("certified_accuracy"),
        **{radius: share(CERTIFIED + radius) for radius in radii},
        "abstained %": share("abstained"),
        "samples drawn": None if drawn is None else f"{drawn:.0f}",
        "seconds / image": seconds and f"{seconds:.3g}",
    }


def _failures(rows: Sequence[dict]) -> list[str]:
    """What the noise may have spoiled, a line for each alpha."""
    counts: dict[float, set[int]] = {}
    for row in rows:
        counts.setdefault(row["alpha"], set()).add(row["images"])
    return [
        f"alpha = {alpha:g}: each certificate is wrong with probability at most "
        f"{alpha:g} over the noise; "
        + "; ".join(_of_a_run(count, alpha) for count in sorted(counts[alpha]))
        for alpha in sorted(counts)
    ]


def _of_a_run(count: int, alpha: float) -> str:
    wrong = smoothing.wrong_certificates(
        count, alpha=alpha, confidence=evaluate.CONFIDENCE
    )
    return (
        f"among the {count} of a run {_none_wrong(count, alpha)}at most {wrong} "
        f"{'is' if wrong == 1 else 'are'} wrong with confidence {_SURE} %"
    )


def _none_wrong(count: int, alpha: float) -> str:
    """The probability that none is wrong, cut, where the union bound says anything."""
    some = smoothing.any_wrong(count, alpha=alpha)
    if some >= 1.0:
        return ""
    return (
        f"none is wrong with probability at least {evaluate.percent(1 - some)} %, and "
    )


def _union(best: Best) -> str:
    """How a maximum that was chosen after the fact may fail: as any of its runs may."""
    runs, alpha = len(best.members), best.row["alpha"]
    count = best.row["images"]
    # Runs of one seed share their noise, so only the union bound holds across them.
    wrong = smoothing.wrong_certificates(
        count, alpha=alpha, confidence=1 - (1 - evaluate.CONFIDENCE) / runs
    )
    names = ", ".join(row["run"] for row in best.members)
    return (
        f"{best.row['run']}: at each radius the best of {names}, chosen after the "
        "results were seen, so it may fail where any of these runs fails; of their "
        f"{runs} x {count} certificates {_none_wrong(runs * count, alpha)}at most "
        f"{wrong} in each run {'is' if wrong == 1 else 'are'} wrong with confidence "
        f"{_SURE} % for all the runs together"
    )


def _stopped(runs: Sequence[Run]) -> list[str]:
    """What runs did not look at, hence cannot claim."""
    fast = [run.name for run in runs if run.flags.get("early_stop") == "fast"]
    lines = [f"{', '.join(fast)}: {_FAST}"] if fast else []
    for radius in dict.fromkeys(run.flags.get("radius") for run in runs):
        if radius is not None:
            names = [run.name for run in runs if run.flags.get("radius") == radius]
            lines.append(f"{', '.join(names)}: {_ASKED.format(radius)}")
    return lines


def _plot(told: Sequence[tuple[Run, dict]]) -> bytes | None:
    shown = [(run, row) for run, row in told if run.records]
    if not shown:
        return None
    names = _names([row for _, row in shown])
    curves = [
        evaluate.certified_curve(name, run.records)
        for name, (run, _) in zip(names, shown, strict=True)
    ]
    return evaluate.certified_plot(curves, label=_LABEL)


def _names(rows: Sequence[dict]) -> list[str]:
    """What tells the lines of the plot apart: sigma and what else differs."""
    kinds = [
        (
            row["model"],
            row["denoiser"] or "no denoiser",
            f"n = {row['samples']}",
            row["source"],
        )
        for row in rows
    ]
    differ = [len(set(values)) > 1 for values in zip(*kinds, strict=True)]
    names = [
        ", ".join(
            [str(part) for part, tell in zip(kind, differ, strict=True) if tell]
            + [f"sigma {row['sigma']:g}"]
        )
        for kind, row in zip(kinds, rows, strict=True)
    ]
    return names if len(set(names)) == len(names) else [row["run"] for row in rows]
