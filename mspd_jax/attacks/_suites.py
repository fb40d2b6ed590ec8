"""AutoAttack (Croce and Hein 2020, arXiv 2003.01690): which attacks, in which order.

`autoattack`       APGD on the cross-entropy, targeted APGD, targeted FAB, Square
`autoattack-plus`  six attacks with restarts
`autoattack-rand`  for randomized models: APGD on two losses, 20 draws per gradient

The constants are those of the authors' code; in l1, APGD starts five times and aims at
five classes (arXiv 2103.01208). They are meant to be run one after the other, each on
the images that still stand.
"""

from typing import NamedTuple


class Suite(NamedTuple):
    """attacks: by the name that a table shows, the registered name and its options.

    draws: how many draws of a randomized model a gradient averages, 1 for none.
    """

    attacks: dict[str, tuple[str, dict]]
    draws: int = 1


def _standard(norm: str) -> Suite:
    sparse = norm == "l1"
    return Suite(
        {
            "apgd-ce": ("apgd-ce", {"restarts": 5 if sparse else 1}),
            "apgd-t": ("apgd-t", {"targets": 5 if sparse else 9}),
            "fab-t": ("fab-t", {"targets": 9}),
            "square": ("square", {"queries": 5000}),
        }
    )


def _plus(norm: str) -> Suite:
    return Suite(
        {
            "apgd-ce": ("apgd-ce", {"restarts": 5}),
            "apgd-dlr": ("apgd-dlr", {"restarts": 5}),
            "fab": ("fab", {"restarts": 5}),
            "square": ("square", {"queries": 5000}),
            "apgd-t": ("apgd-t", {"targets": 9}),
            "fab-t": ("fab-t", {"targets": 9}),
        }
    )


def _rand(norm: str) -> Suite:
    attacks: dict[str, tuple[str, dict]]
    attacks = {"apgd-ce": ("apgd-ce", {}), "apgd-dlr": ("apgd-dlr", {})}
    return Suite(attacks, draws=20)


SUITES = {
    "autoattack": _standard,
    "autoattack-plus": _plus,
    "autoattack-rand": _rand,
}
