"""AutoAttack (Croce and Hein 2020, arXiv 2003.01690): which attacks, in which order.

The constants are those of the authors' code; in l1, APGD starts five times and aims at
five classes (arXiv 2103.01208). They are meant to be run one after the other, each on
the images that still stand. `autoattack-rand` is for randomized models,
`autoattack-fast` is MALT alone (arXiv 2407.02240).
"""

from typing import NamedTuple


class Suite(NamedTuple):
    """attacks: the options of each registered name. draws: how many draws of a
    randomized model a gradient averages, 1 for none."""

    attacks: dict[str, dict]
    draws: int = 1


def _standard(norm: str) -> Suite:
    sparse = norm == "l1"
    return Suite(
        {
            "apgd-ce": {"restarts": 5 if sparse else 1},
            "apgd-t": {"targets": 5 if sparse else 9},
            "fab-t": {"targets": 9},
            "square": {"queries": 5000},
        }
    )


def _plus(norm: str) -> Suite:
    return Suite(
        {
            "apgd-ce": {"restarts": 5},
            "apgd-dlr": {"restarts": 5},
            "fab": {"restarts": 5},
            "square": {"queries": 5000},
            "apgd-t": {"targets": 9},
            "fab-t": {"targets": 9},
        }
    )


def _rand(norm: str) -> Suite:
    return Suite({"apgd-ce": {}, "apgd-dlr": {}}, draws=20)


def _fast(norm: str) -> Suite:
    del norm
    return Suite({"malt": {"targets": 9}})


SUITES = {
    "autoattack": _standard,
    "autoattack-fast": _fast,
    "autoattack-plus": _plus,
    "autoattack-rand": _rand,
}
