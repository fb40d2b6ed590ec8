"""Files of JSON lines that a kill cannot spoil.

Each process of a cluster appends to a file of its own; whoever reads sees all of them.
Lines are written batch by batch and forced to disk, and a line that was cut off in the
middle is dropped when the file is opened again.
"""

import json
import os
import pathlib
from collections.abc import Iterable, Iterator


def open_log(
    folder: pathlib.Path, name: str, *, process_index: int = 0, process_count: int = 1
) -> pathlib.Path:
    """The file of a log that this process appends to; its last line is whole."""
    part = ""
    if process_count > 1:
        part = f"-{process_index:05d}-of-{process_count:05d}"
    file = folder / f"{name}{part}.jsonl"
    _cut_torn_line(file)
    return file


def append_log(path: pathlib.Path, entries: Iterable[dict]) -> None:
    """Writes entries at once and through to the disk."""
    text = json_lines(entries)
    if not text:
        return
    with open(path, "a", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def read_log(folder: pathlib.Path, name: str) -> Iterator[dict]:
    """The entries of all processes; torn lines and lines of something else left out."""
    for path in log_files(folder, name):
        with open(path, encoding="utf-8") as file:
            for line in file:
                entry = _parsed(line)
                if entry is not None:
                    yield entry


def json_lines(entries: Iterable[dict]) -> str:
    """A line of JSON for each entry."""
    return "".join(json.dumps(entry) + "\n" for entry in entries)


def log_files(folder: pathlib.Path, name: str) -> list[pathlib.Path]:
    """The files that the log is made of."""
    return sorted(folder.glob(f"{name}.jsonl")) + sorted(folder.glob(f"{name}-*.jsonl"))


def _parsed(line: str) -> dict | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) and "index" in entry else None


def _cut_torn_line(path: pathlib.Path) -> None:
    """Drops a last line without its end, which a kill in mid-write leaves behind."""
    if not path.exists():
        return
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        os.truncate(path, len(whole))
