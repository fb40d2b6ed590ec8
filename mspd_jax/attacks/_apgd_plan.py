"""What Auto-PGD does at which step: fixed by the number of steps, before it runs."""

from typing import NamedTuple

import numpy as np

# Shares of the steps between two checkpoints: the first, how much shorter each next
# one is, the shortest. In l1 all are equal.
_FIRST, _SHORTER, _SHORTEST = 0.22, 0.03, 0.06
_SPARSE = 0.04
_INERTIA = 0.25


class Plan(NamedTuple):
    """One row for each point that is evaluated; numpy arrays [steps + stages].

    Attributes:
      begin: whether the point is the start of a stage.
      check: whether it is a checkpoint.
      period: how many steps lead here from the checkpoint before; where `check`.
      inertia: share of the last move in the step from here, 0 for a stage's first.
      leave: whether the next point starts the next stage.
      scale: radius of the ball that the point is in, in units of eps.
      next_scale: the same for the next point.
    """

    begin: np.ndarray
    check: np.ndarray
    period: np.ndarray
    inertia: np.ndarray
    leave: np.ndarray
    scale: np.ndarray
    next_scale: np.ndarray


def checkpoints(steps: int, *, norm: str) -> list[int]:
    """Numbers of the steps after which the step size is looked at; 1 is the first.

    In linf and l2 after 22 % of the steps, then each time 3 % sooner, but never before
    6 % have passed: 22, 41, 57, 70, 80, 87, 93, 99 of 100. In l1 every 4 %. Always
    whole steps and one at least.
    """
    share = _SPARSE if norm == "l1" else _FIRST
    period = max(int(share * steps), 1)
    least = max(int(_SHORTEST * steps), 1)
    found, step = [], period
    while step <= steps:
        found.append(step)
        if norm != "l1":
            period = max(period - max(int(_SHORTER * steps), 1), least)
        step += period
    return found


def stages(steps: int, *, shrinking: bool) -> list[tuple[float, int]]:
    """The balls that the search goes through, as (radius in eps, steps in it).

    One of 1 eps; or, shrinking, 30 % of the steps (rounded up) in each of 3 and 2 eps
    and the rest in 1 eps. With fewer than five steps the rest would be none, so the
    wide balls give some of theirs, or all.
    """
    if not shrinking:
        return [(1.0, steps)]
    wide = min(-(-3 * steps // 10), (steps - 1) // 2)
    shares = [(3.0, wide), (2.0, wide), (1.0, steps - 2 * wide)]
    return [(scale, share) for scale, share in shares if share]


def make_plan(steps: int, *, norm: str, shrinking: bool) -> Plan:
    """The rows of a run: every stage has its own start and its own checkpoints."""
    rows = []
    for scale, share in stages(steps, shrinking=shrinking):
        checks = checkpoints(share, norm=norm)
        before = dict(zip(checks, [0, *checks], strict=False))
        rows += [
            (
                step == 0,
                step in before,
                step - before.get(step, step),
                0.0 if step == 0 else _INERTIA,
                step == share,
                scale,
            )
            for step in range(share + 1)
        ]
    columns = [np.asarray(column) for column in zip(*rows, strict=True)]
    begin, check, period, inertia, leave, scales = columns
    # The last point of all leads nowhere.
    leave[-1] = False
    number = np.float32
    return Plan(
        begin,
        check,
        period.astype(number),
        inertia.astype(number),
        leave,
        scales.astype(number),
        np.append(scales[1:], scales[-1]).astype(number),
    )
