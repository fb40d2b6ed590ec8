"""The records of a run as they lie on the disk: found once, parsed when looked at.

A million records are 300 MB of text, and several times as much as dictionaries. Kept of
each is where its line begins and ends.
"""

import array
import json
import mmap
import operator
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from mspd_jax import paths
from mspd_jax.runs._log import read_files

_Text = bytes | mmap.mmap


class Records(Sequence):
    """Records ordered by their index; of those of one index the last that was written.

    Deviation: a class, as a sequence that does not lie in memory can be nothing else.

    Attributes:
      indices: the data-set index of each, int64 [n].
    """

    def __init__(
        self,
        texts: Sequence[_Text],
        spans: np.ndarray,
        indices: np.ndarray,
        made: Callable[[dict], Any] = dict,
    ) -> None:
        """spans: int64 [n, 3], of each record its text, its begin and its end in it.
        made: what an entry of the log becomes when it is looked at."""
        self._texts, self._spans, self._made = texts, spans, made
        self.indices = indices

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return tuple(self[at] for at in range(*place.indices(len(self))))
        if not -len(self) <= place < len(self):
            raise IndexError(f"record {place} of {len(self)}")
        return self._made(json.loads(self.line(place)))

    def __iter__(self) -> Iterator[Any]:
        return (self[place] for place in range(len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(map(operator.eq, self, other))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<{len(self)} records>"

    def line(self, place: int) -> bytes:
        """The line of a record, as it was written."""
        text, begin, end = self._spans[place]
        return self._texts[text][begin:end]

    def as_made_by(self, made: Callable[[dict], Any]) -> "Records":
        """The same records, which become something else when they are looked at."""
        return Records(self._texts, self._spans, self.indices, made)


def find_records(folder: pathlib.PurePath, name: str) -> Records:
    """The records in a log; torn lines and lines of something else are left out."""
    return read_files(folder, name, records_in)


def records_in(files: Sequence[pathlib.PurePath]) -> Records:
    """The records in files of lines."""
    texts = [text for text in paths.each(_text_of, files) if text]
    spans, indices = array.array("q"), array.array("q")
    for number, text in enumerate(texts):
        for begin, end in _lines(text):
            index = _index_of(text[begin:end])
            if index is not None:
                spans.extend((number, begin, end))
                indices.append(index)
    found = np.asarray(spans, np.int64).reshape(-1, 3)
    return _ordered(texts, found, np.asarray(indices, np.int64))


def _ordered(texts: Sequence[_Text], spans: np.ndarray, indices: np.ndarray) -> Records:
    order = np.argsort(indices, kind="stable")
    rising = indices[order]
    last = np.append(rising[1:] != rising[:-1], True)[: len(rising)]
    return Records(texts, spans[order[last]], rising[last])


def _text_of(file: pathlib.PurePath) -> _Text:
    """The content of a file: on the disk, as it is looked at, else as it is fetched."""
    if paths.is_store(file):
        return paths.read_bytes(file)
    with open(file, "rb") as content:
        try:
            return mmap.mmap(content.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError:  # there is nothing in it
            return b""


def _lines(text: _Text) -> Iterator[tuple[int, int]]:
    """Where each line begins and ends; what has no end is torn, and no line."""
    begin = 0
    while end := text.find(b"\n", begin) + 1:
        yield begin, end
        begin = end


def _index_of(line: bytes) -> int | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    index = entry.get("index") if isinstance(entry, dict) else None
    return index if isinstance(index, int) else None
