"""The folder of a run: run.json, records.jsonl, summary.json.

A record is one line of JSON per image, written in whole batches and forced to disk, so
that a run that is killed loses the batch it was working on and nothing else. Opening
the folder again with the same identity continues; any other content is refused.
"""

import json
import os
import pathlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from mspd_jax import paths
from mspd_jax.errors import InputError
from mspd_jax.runs._log import append_log, log_files, open_log
from mspd_jax.runs._manifest import unseal
from mspd_jax.runs._records import Records, find_records, records_in
from mspd_jax.runs._write import write_chunks, write_json

_RECORDS = "records"
SUMMARY = "summary.json"


class OpenRun(NamedTuple):
    """An opened run folder.

    path: the folder. log: the file that this process appends its records to, in a store
    what their parts are named after. done: data-set indices that have a record, from
    all processes.
    """

    path: pathlib.PurePath
    log: pathlib.PurePath
    done: frozenset[int]


def open_run(
    path: str | os.PathLike,
    identity: dict,
    *,
    details: dict | None = None,
    process_index: int = 0,
    process_count: int = 1,
    wait: Callable[[], None] = lambda: None,
) -> OpenRun:
    """Creates the folder of a run, or continues the run that is in it.

    identity: all that decides the results (job, flags, hashes of the models): a folder
    of another identity is refused with an InputError, and left as it is.
    details: what is worth keeping but does not decide results (versions, devices).
    wait: a barrier between the processes of a cluster.
    """
    path = paths.as_path(path)
    identity = json.loads(json.dumps(identity))
    _check_identity(path, identity)
    wait()  # everybody has looked before anybody writes
    if process_index == 0:
        if not paths.is_store(path):
            pathlib.Path(path).mkdir(parents=True, exist_ok=True)
        if not paths.exists(path / "run.json"):
            write_json(path / "run.json", {**identity, **(details or {})})
    wait()
    log = open_log(
        path, _RECORDS, process_index=process_index, process_count=process_count
    )
    wait()
    return OpenRun(path, log, frozenset(read_records(path).indices.tolist()))


def append_records(run: OpenRun, records: Iterable[dict]) -> None:
    """Writes the records of one batch, at once and through to the disk."""
    append_log(run.log, records)


def read_records(path: str | os.PathLike) -> Records:
    """All records in a run folder, ordered by index; torn lines are left out.

    A sequence of dictionaries, each parsed when it is looked at.
    """
    return find_records(paths.as_path(path), _RECORDS)


def remove_run(run: OpenRun) -> None:
    """Takes a folder away in which nothing has been recorded."""
    paths.remove([run.path / "run.json"])
    if not paths.is_store(run.path):
        pathlib.Path(run.path).rmdir()


def reopen_run(run: OpenRun) -> None:
    """Takes back that the run has finished: there is more to do."""
    unseal(run.path)
    paths.remove([run.path / SUMMARY])


def is_summed_up(path: pathlib.PurePath) -> bool:
    """Whether the totals of a run have been written."""
    return paths.exists(path / SUMMARY)


def is_run_folder(path: pathlib.PurePath) -> bool:
    """Whether a job wrote this folder, finished or not."""
    return paths.is_file(path / "run.json") or paths.is_file(path / "records.jsonl")


def record_lines(path: pathlib.PurePath) -> Iterator[tuple[str, str]]:
    """(where it stands, line) for all records in a run folder, as text.

    An unfinished run over several processes has several files. What a killed run leaves
    of a last line is passed over.
    """
    for part in log_files(path, _RECORDS):
        text = paths.read_text(part)
        for number, line in enumerate(text.split("\n")[:-1], start=1):
            yield f"line {number} of {part}", line


def merge_records(run: OpenRun) -> Records:
    """Rewrites records.jsonl with all records in order of index; returns them.

    Called by one process, after all have finished: the file is then the same whatever
    the number of processes and interruptions.
    """
    parts = log_files(run.path, _RECORDS)  # once: what is not read is not removed
    records = records_in(parts)
    lines = map(records.line, range(len(records)))
    write_chunks(run.path / "records.jsonl", lines)
    paths.remove(part for part in parts if part.name != "records.jsonl")
    return records


def _check_identity(path: pathlib.PurePath, identity: dict) -> None:
    if paths.exists(path) and not paths.is_dir(path):
        raise InputError(f"`out`={path} is a file; a folder is needed")
    if not paths.exists(path) or not paths.children(path):
        return
    try:
        found = json.loads(paths.read_text(path / "run.json"))
    except (OSError, ValueError):
        raise InputError(
            f"`out`={path} is not empty and holds no run of ours; name another folder"
        ) from None
    if "fields" in identity and "fields" not in found and "flags" in found:
        raise InputError(
            f"`out`={path} was begun by an earlier version of mspd_jax, which noted "
            "less of what decides a result: name another folder"
        )
    for name, value in identity.items():
        if name == "data" and found.get(name) not in (None, value):
            raise InputError(
                f"`out`={path} holds the results for other images: what `source` names "
                "has changed since that run began; name another folder"
            )
        if not same_fields(found.get(name), value):
            change = _difference(name, found.get(name), value)
            raise InputError(
                f"`out`={path} belongs to another run ({change}); name another folder"
            )


def same_fields(found: Any, wanted: Any) -> bool:
    """Whether two runs were asked for the same, but for what is None in either.

    A field that came later says nothing of an older run.
    """
    return _known(found) == _known(wanted)


def _known(value):
    if not isinstance(value, dict):
        return value
    return {name: part for name, part in value.items() if part is not None}


def _difference(name: str, old, new) -> str:
    if isinstance(old, dict) and isinstance(new, dict):
        keys = sorted(k for k in old.keys() | new.keys() if old.get(k) != new.get(k))
        place = f"`{keys[0]}`" if name == "fields" else f"{name}.{keys[0]}"
        name, old, new = place, old.get(keys[0]), new.get(keys[0])
    return f"{name} was {old!r}, now {new!r}"
