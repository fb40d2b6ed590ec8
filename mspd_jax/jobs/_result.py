"""What a job returns: typed records and totals of what lies on the disk."""

import pathlib
from collections.abc import Sequence
from typing import Any, NamedTuple


class Result(NamedTuple):
    """What came of a job.

    Attributes:
      folder: the run folder, with run.json, records.jsonl and summary.json: a
        `pathlib.Path`, or in an object store an `epath.Path`.
      summary: the totals, a NamedTuple of the job's own; None on all but the first
        process of a cluster.
      records: a sequence of one NamedTuple per image, ordered by index, each made of
        its line in records.jsonl when it is looked at; none but there.
      unreadable: why, for each image that could not be read.
      finished_before: whether a training, or all pictures, were found finished.
    """

    folder: pathlib.PurePath
    summary: Any
    records: Sequence[Any]
    unreadable: tuple[str, ...] = ()
    finished_before: bool = False


def typed(kind: Any, content: dict) -> Any:
    """A JSON object as the NamedTuple that describes it.

    Fields that are missing take their defaults; KeyError for one that is not described.
    """
    unknown = content.keys() - set(kind._fields)
    if unknown:
        raise KeyError(f"{kind.__name__} has no field {sorted(unknown)[0]}")
    return kind(**content)
