"""Whether the figures of an evaluation can be relied on: checks and their verdicts.

Most published evaluations that turned out wrong were wrong in a way that a cheap
measurement shows (Carlini et al. 2019, arXiv 1902.06705). `check_model` looks at a
model before it is attacked, `check_attack` attacks it a little, `check_constancy` asks
it again after the attacks, `check_results` reads the records of a finished evaluation.
"""

from collections.abc import Sequence
from typing import NamedTuple

# Checks of the gradient as the model gives it. What they say is about attacks that
# follow it, not about those that put another in its place (bpda:, eot:).
GRADIENT_CHECKS = (
    "gradients",
    "sign coherence",
    "gradient is the derivative",
    "saturated pixels",
    "monotone in eps",
    "huge eps",
    "doubled steps",
    "black box",
)


class Check(NamedTuple):
    """One measurement and what it says.

    Attributes:
      name: what was looked at.
      passed: True, False, or None where it could not be measured.
      measured: a sentence with the numbers, or the reason why there are none.
      threshold: what the numbers are compared with.
      advice: what to do if the check has failed.
    """

    name: str
    passed: bool | None
    measured: str
    threshold: str
    advice: str


def is_reliable(checks: Sequence[Check]) -> bool:
    """Whether no check has failed; what was not measured does not count against it."""
    return all(check.passed is not False for check in checks)


def failed_lines(checks: Sequence[Check]) -> list[str]:
    """A line for each check that has failed, for the warnings of a summary."""
    return [
        f"unreliable: {check.name}: measured {check.measured}; "
        f"threshold {check.threshold}; {check.advice}"
        for check in checks
        if check.passed is False
    ]


def beyond_noise(images: float, count: int) -> bool:
    """Whether a difference of so many images out of `count` is one to worry about.

    One image may flip for any reason, and one in a hundred says nothing.
    """
    return images > max(1, 0.01 * count) + 1e-9


def noise_allowed(count: int) -> str:
    """The threshold of `beyond_noise` in words."""
    allowed = max(1, int(0.01 * count + 1e-9))
    return f"{allowed} of {count} images"
