"""The folder of a run: run.json, records.jsonl, summary.json.

A record is one line of JSON per image, written in whole batches and forced to disk, so
that a run that is killed loses the batch it was working on and nothing else. Opening
the folder again with the same identity continues; any other content is refused.
"""

import json
import os
import pathlib
from collections.abc import Callable, Iterable
from typing import NamedTuple

from mspd_jax.data import write_file
from mspd_jax.errors import InputError


class Run(NamedTuple):
    """An opened run folder.

    path: the folder. records: the file that this process appends to.
    done: data-set indices that have a record, from all processes.
    """

    path: pathlib.Path
    records: pathlib.Path
    done: frozenset[int]


def open_run(
    path: str | os.PathLike,
    identity: dict,
    *,
    details: dict | None = None,
    process_index: int = 0,
    process_count: int = 1,
    wait: Callable[[], None] = lambda: None,
) -> Run:
    """Creates the folder of a run, or continues the run that is in it.

    identity: all that decides the results (job, flags, hashes of the models): a folder
    of another identity is refused with an InputError, and left as it is.
    details: what is worth keeping but does not decide results (versions, devices).
    wait: a barrier between the processes of a cluster.
    """
    path = pathlib.Path(path)
    identity = json.loads(json.dumps(identity))
    _check_identity(path, identity)
    wait()  # everybody has looked before anybody writes
    if process_index == 0:
        path.mkdir(parents=True, exist_ok=True)
        if not (path / "run.json").exists():
            write_json(path / "run.json", {**identity, **(details or {})})
    wait()
    name = "records.jsonl"
    if process_count > 1:
        name = f"records-{process_index:05d}-of-{process_count:05d}.jsonl"
    _cut_torn_line(path / name)
    wait()
    return Run(path, path / name, frozenset(r["index"] for r in read_records(path)))


def append_records(run: Run, records: Iterable[dict]) -> None:
    """Writes the records of one batch, at once and through to the disk."""
    text = "".join(json.dumps(record) + "\n" for record in records)
    with open(run.records, "a", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def read_records(path: str | os.PathLike) -> list[dict]:
    """All records in a run folder, ordered by index; torn lines are left out."""
    records = {}
    for part in _parts(pathlib.Path(path)):
        for line in part.read_text(encoding="utf-8").split("\n"):
            record = _parsed(line)
            if record is not None:
                records[record["index"]] = record
    return [records[index] for index in sorted(records)]


def merge_records(run: Run) -> list[dict]:
    """Rewrites records.jsonl with all records in order of index; returns them.

    Called by one process, after all have finished: the file is then the same whatever
    the number of processes and interruptions.
    """
    records = read_records(run.path)
    text = "".join(json.dumps(record) + "\n" for record in records)
    write_file(run.path / "records.jsonl", text.encode())
    for part in _parts(run.path):
        if part.name != "records.jsonl":
            part.unlink()
    return records


def write_json(path: pathlib.Path, content: dict) -> None:
    """Writes readable JSON, all or nothing."""
    write_file(path, (json.dumps(content, indent=2) + "\n").encode())


def _check_identity(path: pathlib.Path, identity: dict) -> None:
    if path.exists() and not path.is_dir():
        raise InputError(f"--out={path} is a file; a folder is needed")
    if not path.exists() or not any(path.iterdir()):
        return
    try:
        found = json.loads((path / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise InputError(
            f"--out={path} is not empty and holds no run of ours; name another folder"
        ) from None
    for name, value in identity.items():
        if found.get(name) != value:
            change = _difference(name, found.get(name), value)
            raise InputError(
                f"--out={path} belongs to another run ({change}); name another folder"
            )


def _difference(name: str, old, new) -> str:
    if isinstance(old, dict) and isinstance(new, dict):
        keys = sorted(k for k in old.keys() | new.keys() if old.get(k) != new.get(k))
        name, old, new = f"{name}.{keys[0]}", old.get(keys[0]), new.get(keys[0])
    return f"{name} was {old!r}, now {new!r}"


def _parts(path: pathlib.Path) -> list[pathlib.Path]:
    return sorted(path.glob("records*.jsonl"))


def _parsed(line: str) -> dict | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) and "index" in record else None


def _cut_torn_line(path: pathlib.Path) -> None:
    """Drops a last line without its end, which a kill in mid-write leaves behind."""
    if not path.exists():
        return
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        os.truncate(path, len(whole))
