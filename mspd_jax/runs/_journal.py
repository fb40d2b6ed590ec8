"""What an evaluation in stages has found so far, in memory and on disk."""

import pathlib
from collections.abc import Callable, Iterable
from typing import NamedTuple

from mspd_jax import paths
from mspd_jax.runs._log import append_log, log_files, open_log, read_log

_NAME = "stages"


class Journal(NamedTuple):
    """Notes by stage (a name) and part (a number), readable at any time.

    last: by stage and data-set index, the note of the latest part. seen: by (stage,
    part), the indices that have a note. write: puts notes where they survive. reread:
    all notes that other processes have written, once all are done with a stage.
    """

    last: dict[str, dict[int, dict]]
    seen: dict[tuple[str, int], set[int]]
    write: Callable[[Iterable[dict]], None]
    reread: Callable[[], Iterable[dict]]


def note(journal: Journal, stage: str, part: int, notes: list[dict]) -> None:
    """Adds notes on images, each with its `index`."""
    notes = [{"stage": stage, "part": part, **fields} for fields in notes]
    journal.write(notes)
    _enter(journal, notes)


def done_in(journal: Journal, stage: str, part: int) -> frozenset[int]:
    """The indices that have a note in this part of a stage."""
    return frozenset(journal.seen.get((stage, part), ()))


def share(journal: Journal) -> None:
    """Learns what the other processes have noted."""
    _enter(journal, journal.reread())


def memory_journal() -> Journal:
    """A journal that ends with the program."""
    return Journal({}, {}, lambda notes: None, lambda: ())


def disk_journal(
    folder: pathlib.PurePath,
    *,
    process_index: int = 0,
    process_count: int = 1,
    wait: Callable[[], None] = lambda: None,
) -> Journal:
    """A journal in `folder`, continued where a killed run left it.

    wait: a barrier between the processes of a cluster.
    """
    log = open_log(
        folder, _NAME, process_index=process_index, process_count=process_count
    )

    def write(notes):
        append_log(log, notes)

    def reread():
        wait()
        return read_log(folder, _NAME) if process_count > 1 else ()

    wait()
    journal = Journal({}, {}, write, reread)
    _enter(journal, read_log(folder, _NAME))
    return journal


def has_journal(folder: pathlib.PurePath) -> bool:
    """Whether an evaluation in stages has begun in a folder and not ended."""
    return bool(log_files(folder, _NAME))


def remove_journal(folder: pathlib.PurePath) -> None:
    """Deletes what `disk_journal` keeps in a folder."""
    paths.remove(log_files(folder, _NAME))


def still_right(
    journal: Journal, *, earlier: Iterable[str], attack: str, part: int
) -> frozenset[int]:
    """The images that were right and that nothing has brought down before this part.

    earlier: the attacks whose victims are dropped. Of `attack` itself the parts before
    `part` count: what this one has found already, before a restart, does not, so that
    a resumed run packs the same batches.
    """
    clean = journal.last.get("clean", {})
    right = {i for i, note in clean.items() if note["prediction"] == note["label"]}
    fallen = {
        index
        for name in (*earlier, attack)
        for index, note in journal.last.get(name, {}).items()
        if note["found"] and (name != attack or note["part"] < part)
    }
    return frozenset(right - fallen)


def journal_records(journal: Journal, attacks: Iterable[str]) -> list[dict]:
    """One record per image: its label, prediction, and the outcome of each attack.

    An attack that never met the image, since that had fallen before, has no entry.
    """
    records = []
    for index, clean in sorted(journal.last.get("clean", {}).items()):
        outcomes = {
            name: _plain(journal.last[name][index])
            for name in attacks
            if index in journal.last.get(name, {})
        }
        records.append(
            {
                "index": index,
                "label": clean["label"],
                "prediction": clean["prediction"],
                "correct": clean["prediction"] == clean["label"],
                "attacks": outcomes,
            }
        )
    return records


def _enter(journal: Journal, notes: Iterable[dict]) -> None:
    for note in notes:
        stage, part, index = note["stage"], note["part"], note["index"]
        seen = journal.seen.setdefault((stage, part), set())
        if index in seen:
            continue
        seen.add(index)
        last = journal.last.setdefault(stage, {})
        # Logs of several processes come in any order.
        if index not in last or last[index]["part"] <= part:
            last[index] = note


def _plain(note: dict) -> dict:
    return {k: v for k, v in note.items() if k not in ("stage", "part", "index")}
