"""The answers of a classifier, kept so that no sample is paid for twice.

Entries are JSON objects: a head says what was asked about an image (noise, classifier),
answers are runs of labels under its digest. What is neither is passed over.
"""

import functools
import hashlib
import json
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from mspd_jax.errors import InputError

# Among the known labels: nobody has asked yet.
MISSING = -2
_BLOCK = 1024


class QueryLog(NamedTuple):
    """The answers known so far; made by `open_query_log`.

    Attributes:
      blocks: labels int32 [1024] by (digest, stage, sample number // 1024).
      heads: by index and digest, what was asked.
      write: puts entries where they survive.
    """

    blocks: dict[tuple[str, str, int], np.ndarray]
    heads: dict[int, dict[str, dict]]
    write: Callable[[list[dict]], None]


def open_query_log(
    append: Callable[[list[dict]], None], entries: Callable[[], Iterable[dict]]
) -> QueryLog:
    """The log behind two functions, read once.

    append: writes entries, JSON types, through to the disk before it returns.
    entries: all that were ever written, from every process, in any order, and perhaps
    others. Of two answers to the same sample the first one counts.
    """
    log = QueryLog({}, {}, append)
    for entry in entries():
        _enter(log, entry)
    return log


def logged_labels(
    log: QueryLog,
    numbers: np.ndarray,
    ask: Callable[[np.ndarray], Iterable[np.ndarray]] | None,
    *,
    index: int,
    head: dict,
    stage: str,
) -> np.ndarray:
    """Labels of samples, out of the log and, where it lacks them, from the classifier.

    Args:
      numbers: sample numbers, in order.
      ask: the numbers that the log lacks -> their labels, batch by batch, in order.
        Each batch is on the disk before the next one is asked for. None: offline.
      index: of the image in its data set.
      head: everything that an answer depends on, as JSON types.
      stage: which samples these are; their numbers count within it.

    Returns:
      Labels int32 [len(numbers)], -1 for no class. InputError if the log lacks an
      answer and there is no `ask`.
    """
    known = functools.partial(known_labels, log, digest_of(head), stage, numbers)
    labels = known()
    missing = np.asarray(numbers)[labels == MISSING]
    if not missing.size:
        return labels
    if ask is None:
        raise InputError(
            f"offline, and the log lacks {missing.size} answers of the {stage} samples "
            f"{missing[0]}..{missing[-1]} of image {index}: "
            f"{what_differs(log, index, head)}"
        )
    for batch in ask(missing):
        part, missing = np.split(missing, [len(batch)])
        note_labels(log, index, head, stage, part, batch)
    return known()


def digest_of(head: dict) -> str:
    """32 hexadecimal digits for everything that an answer depends on."""
    text = json.dumps(head, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def known_labels(
    log: QueryLog, digest: str, stage: str, numbers: ArrayLike
) -> np.ndarray:
    """Labels int32 of the samples `numbers`, MISSING where none was answered."""
    numbers = np.asarray(numbers, np.int64)
    labels = np.full(len(numbers), MISSING, np.int32)
    for block in np.unique(numbers // _BLOCK):
        here = log.blocks.get((digest, stage, int(block)))
        if here is not None:
            inside = numbers // _BLOCK == block
            labels[inside] = here[numbers[inside] % _BLOCK]
    return labels


def note_labels(
    log: QueryLog,
    index: int,
    head: dict,
    stage: str,
    numbers: ArrayLike,
    labels: ArrayLike,
) -> None:
    """Adds the answers to samples, in order; they are on the disk when this returns."""
    about = {"index": index, "head": digest_of(head)}
    notes: list[dict] = []
    if about["head"] not in log.heads.get(index, {}):
        notes.append({**about, "of": head})
    gaps = np.flatnonzero(np.diff(numbers) != 1) + 1
    runs = np.split(numbers, gaps), np.split(labels, gaps)
    for run, values in zip(*runs, strict=True):
        answers = {"first": int(run[0]), "labels": values.tolist()}
        notes.append({**about, "stage": stage, **answers})
    log.write(notes)
    for entry in notes:
        _enter(log, entry)


def what_differs(log: QueryLog, index: int, head: dict) -> str:
    """In words, what else was asked about an image: why answers cannot be used."""
    others = log.heads.get(index, {})
    if digest_of(head) in others:
        return "it holds others of the same setting"
    if not others:
        return f"it holds none for image {index}"
    fields = {
        field
        for other in others.values()
        for field in head
        if other.get(field) != head[field]
    }
    return f"it holds answers with another {', '.join(sorted(fields))}"


def _enter(log, entry):
    index, digest = entry.get("index"), entry.get("head")
    if type(index) is not int or not isinstance(digest, str):
        return
    if isinstance(entry.get("of"), dict):
        if digest_of(entry["of"]) == digest:
            log.heads.setdefault(index, {})[digest] = entry["of"]
        return
    stage, first, labels = (entry.get(name) for name in ("stage", "first", "labels"))
    if not isinstance(stage, str) or type(first) is not int or first < 0:
        return
    if not isinstance(labels, list) or not all(
        type(label) is int and -1 <= label < 2**31 for label in labels
    ):
        return
    start = 0
    while start < len(labels):
        block, offset = divmod(first + start, _BLOCK)
        place = log.blocks.setdefault(
            (digest, stage, block), np.full(_BLOCK, MISSING, np.int32)
        )
        part = np.asarray(labels[start : start + _BLOCK - offset], np.int32)
        here = place[offset : offset + len(part)]
        here[here == MISSING] = part[here == MISSING]
        start += len(part)
