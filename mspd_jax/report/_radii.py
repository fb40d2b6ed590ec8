"""Robust accuracy against eps: the plot of evaluations at several radii."""

from collections.abc import Sequence
from fractions import Fraction

from mspd_jax.report._plot import Curve, accuracy_plot, grouped
from mspd_jax.report._rows import defense_name, model_name
from mspd_jax.report._section import Section, section
from mspd_jax.runs import Run


def radii_section(runs: Sequence[Run]) -> Section:
    """The plot of evaluations at several eps, or a line that says why there is none."""
    curves = radius_curves(runs)
    if not curves:
        return Section("\nNo curve: no two evaluations differ in eps alone.\n")
    norms = sorted({str(run.fields.get("norm")) for run in filter(_usable, runs)})
    unit = "pixel values from 0 to 1"
    if norms == ["linf"]:  # radii of this norm are read in levels of 255
        unit = "levels of 255"
        curves = [
            curve._replace(points=[(255 * x, s, a, b) for x, s, a, b in curve.points])
            for curve in curves
        ]
    png = accuracy_plot(curves, label=f"eps, {' and '.join(norms)} ({unit})")
    text = "Robust accuracy against eps; shaded: 95 % interval.\n"
    return section(text, name="curve.png", png=png, alt="robust accuracy against eps")


def radius_curves(runs: Sequence[Run]) -> list[Curve]:
    """A curve for all runs that differ in eps alone, begun at the clean accuracy."""
    return [
        _curve(name, found) for name, found in grouped(filter(_usable, runs), _kind)
    ]


def _usable(run: Run) -> bool:
    attacked = bool((run.summary or {}).get("attacks"))
    is_evaluation = run.info.get("job") == "evaluate"
    return is_evaluation and attacked and bool(run.fields.get("eps"))


def _kind(run: Run) -> tuple[str, ...]:
    """What two runs share that differ in eps alone."""
    fields = run.fields
    model, defense = model_name(fields), defense_name(fields) or "no defense"
    chosen = (fields.get(name) for name in ("source", "attack", "norm"))
    return tuple(map(str, (model, defense, *chosen)))


def _curve(name: str, found: Sequence[Run]) -> Curve:
    points = [(0.0, *_point(found[0].summary or {}, "clean"))]
    points += [(_radius(run), *_point(run.summary or {}, "robust")) for run in found]
    unreliable = any((run.summary or {}).get("reliable") is False for run in found)
    return Curve(name, points, unreliable)


def _point(summary: dict, kind: str) -> tuple[float, float, float]:
    share = summary[f"{kind}_accuracy"]
    return share, *summary.get(f"{kind}_interval", (share, share))


def _radius(run: Run) -> float:
    return float(Fraction(str(run.fields["eps"])))
