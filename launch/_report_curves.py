"""The plot of a report: robust accuracy against eps, a line for each kind of run."""

from collections.abc import Sequence
from fractions import Fraction

from launch._report_rows import defense_name, model_name
from mspd_jax.evaluate import Curve, accuracy_plot
from mspd_jax.runs import Run


def curves(runs: Sequence[Run]) -> tuple[bytes | None, str]:
    """PNG bytes of the plot of evaluations at several eps, and a line on what it shows.

    A line joins runs that differ in eps alone; it starts at the clean accuracy. Without
    two radii of one kind there is no plot and the line says why.
    """
    shown = lines(runs)
    if not shown:
        return None, "No curve: no two evaluations differ in eps alone."
    norms = sorted({run.flags.get("norm") for run in runs if _usable(run)})
    levels = norms == ["linf"]
    if levels:  # radii of this norm are read in levels of 255
        shown = [
            c._replace(points=[(255 * x, *rest) for x, *rest in c.points])
            for c in shown
        ]
    unit = "levels of 255" if levels else "pixel values from 0 to 1"
    png = accuracy_plot(shown, label=f"eps, {' and '.join(norms)} ({unit})")
    return png, "Robust accuracy against eps; shaded: 95 % interval."


def lines(runs: Sequence[Run]) -> list[Curve]:
    """One curve for each kind of evaluation of which there are several radii."""
    groups: dict[tuple, list[Run]] = {}
    for run in filter(_usable, runs):
        groups.setdefault(_kind(run), []).append(run)
    groups = {kind: found for kind, found in groups.items() if len(found) > 1}
    return [_curve(found, _name(kind, groups)) for kind, found in groups.items()]


def _usable(run: Run) -> bool:
    attacked = bool((run.summary or {}).get("attacks"))
    return run.info.get("job") == "evaluate" and attacked and bool(run.flags.get("eps"))


def _kind(run: Run) -> tuple:
    """What two runs share that differ in eps alone."""
    flags = run.flags
    chosen = (f"{flags.get(name)}" for name in ("source", "attack", "norm"))
    return model_name(flags), defense_name(flags) or "no defence", *chosen


def _name(kind: tuple, groups: dict) -> str:
    """As much of the kind as tells the lines of the plot apart."""
    parts = zip(*groups, strict=True)
    told = [
        part for part, all_of in zip(kind, parts, strict=True) if len({*all_of}) > 1
    ]
    return ", ".join(map(str, told)) or str(kind[0])


def _curve(found: Sequence[Run], name: str) -> Curve:
    points = [(0.0, *_point(found[0].summary, "clean"))]
    points += [(_radius(run), *_point(run.summary, "robust")) for run in found]
    doubted = any(run.summary.get("reliable") is False for run in found)
    return Curve(name, points, doubted)


def _point(summary: dict, kind: str) -> tuple[float, float, float]:
    share = summary[f"{kind}_accuracy"]
    return share, *summary.get(f"{kind}_interval", (share, share))


def _radius(run: Run) -> float:
    return float(Fraction(str(run.flags["eps"])))
