"""How many certificates may be wrong because of the noise, in words."""

from collections.abc import Sequence

from mspd_jax import evaluate, smoothing
from mspd_jax.report._best import Best
from mspd_jax.report._rows import Row
from mspd_jax.report._tables import percent

_SURE = percent(evaluate.CONFIDENCE)


def failures(rows: Sequence[Row]) -> list[str]:
    """How the certificates of runs may fail, a line for each alpha."""
    counts: dict[float, set[int]] = {}
    for row in rows:
        counts.setdefault(row["alpha"], set()).add(row["images"])
    return [
        f"alpha = {alpha:g}: each certificate is wrong with probability at most "
        f"{alpha:g} over the noise; "
        + "; ".join(_of_one_run(count, alpha) for count in sorted(counts[alpha]))
        for alpha in sorted(counts)
    ]


def failures_of_best(best: Best) -> str:
    """How a maximum that was chosen after the fact may fail: as any of its runs may."""
    runs, alpha = len(best.members), best.row["alpha"]
    count = best.row["images"]
    # Runs of one seed share their noise, so only the union bound holds across them.
    confidence = 1 - (1 - evaluate.CONFIDENCE) / runs
    wrong = smoothing.wrong_certificates(count, alpha=alpha, confidence=confidence)
    names = ", ".join(row["run"] for row in best.members)
    return (
        f"{best.row['run']}: at each radius the best of {names}, chosen after the "
        "results were seen, so it may fail where any of these runs fails; of their "
        f"{runs} x {count} certificates {_none_wrong(runs * count, alpha)}at most "
        f"{wrong} in each run {_is(wrong)} wrong with confidence {_SURE} % for all the "
        "runs together"
    )


def _of_one_run(count: int, alpha: float) -> str:
    wrong = smoothing.wrong_certificates(
        count, alpha=alpha, confidence=evaluate.CONFIDENCE
    )
    return (
        f"among the {count} of a run {_none_wrong(count, alpha)}at most {wrong} "
        f"{_is(wrong)} wrong with confidence {_SURE} %"
    )


def _none_wrong(count: int, alpha: float) -> str:
    """The probability that none is wrong, cut, where the union bound says anything."""
    some = smoothing.any_wrong(count, alpha=alpha)
    if some >= 1.0:
        return ""
    return f"none is wrong with probability at least {percent(1 - some)} %, and "


def _is(count: int) -> str:
    return "is" if count == 1 else "are"
