"""How strongly pictures are protected, in three words."""

from typing import NamedTuple


class Strength(NamedTuple):
    """eps: largest change of a pixel. samples: draws of each of the two epochs."""

    eps: float
    samples: int


STRENGTHS = {
    "light": Strength(4 / 255, 8),
    "standard": Strength(8 / 255, 16),
    "strong": Strength(16 / 255, 32),
}
