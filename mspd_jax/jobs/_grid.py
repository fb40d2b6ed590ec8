"""Many jobs from one: every combination of values for some of its fields."""

import dataclasses
import itertools
from collections.abc import Iterable
from typing import Any


def grid(job: Any, **axes: Iterable[Any]) -> list[Any]:
    """The job with every combination of the values of `axes`, the last one fastest.

    Example:
      grid(jobs.Evaluate(target="A", source="digits:test", eps=0.1), eps=[0.05, 0.1])
    """
    names = list(axes)
    return [
        dataclasses.replace(job, **dict(zip(names, values, strict=True)))
        for values in itertools.product(*axes.values())
    ]
