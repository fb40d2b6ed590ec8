"""The images of a run folder, as its records list them."""

import json
import pathlib

from mspd_jax import paths, runs
from mspd_jax.data._record import output_name
from mspd_jax.errors import InputError

# Index, label, path, and name for outputs.
Entry = tuple[int, int, pathlib.PurePath, str]


def read_run_folder(spec: str, root: pathlib.PurePath) -> list[Entry]:
    """The entries of a run that wrote images, sorted by index.

    A record of an image has `index`, `file` (relative to the folder) and, where known,
    `label` and `name`; records without `file` are those of other jobs. A run that has
    not finished is refused: more images would be there a moment later. No file outside
    the folder is ever opened, whatever the records or links in it say.
    """
    entries: dict[int, Entry] = {}
    indices = set()
    try:
        for place, line in runs.record_lines(root):
            where = f"source {spec!r}: {place}"
            record = _parsed(where, line)
            indices.add(repr(record.get("index")))
            if record.get("file") is not None:
                entry = _entry(where, root, record)
                entries[entry[0]] = entry
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"source {spec!r}: cannot read the records of {root} ({error})"
        ) from error
    check_finished(spec, root, images=len(indices))
    if not entries:
        raise InputError(
            f"source {spec!r}: the records of {root} list no images; wanted the folder "
            "of a protect or revert run"
        )
    return [entries[index] for index in sorted(entries)]


def check_finished(
    spec: str, root: pathlib.PurePath, *, images: int | None = None
) -> None:
    """Raises InputError if the run in `root` is under way or was killed.

    images: how many have a record, where that is known.
    """
    if runs.is_unfinished(root, images=images):
        raise InputError(
            f"source {spec!r}: the run in {root} has not finished; wait for it, or "
            "start it again with the command that began it"
        )


def recorded_classes(root: pathlib.PurePath) -> int | None:
    """Number of classes that run.json states (`num_classes`), or None."""
    try:
        count = runs.read_info(root).get("num_classes")
    except InputError:
        return None
    return count if isinstance(count, int) else None


def is_safe_name(name: str) -> bool:
    """Whether an output name is relative, without `..`, and ends in `.png`."""
    inside = "/" not in name and ":" not in name  # most are, of millions
    if not inside:
        path = pathlib.PurePath(name)
        inside = ".." not in path.parts and not path.is_absolute()
    return inside and name.endswith(".png") and "\\" not in name and "\x00" not in name


def _parsed(where: str, line: str) -> dict:
    try:
        record = json.loads(line)
    except ValueError as error:
        raise _no_record(where, error) from error
    if not isinstance(record, dict):
        raise _no_record(where, TypeError(f"a {type(record).__name__}"))
    return record


def _entry(where: str, root: pathlib.PurePath, record: dict) -> Entry:
    try:
        index, label = int(record["index"]), int(record.get("label", -1))
        name = str(record.get("name", output_name(index, label)))
        file = root / str(record["file"])
        inside = paths.resolved(file).is_relative_to(paths.resolved(root))
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise _no_record(where, error) from error
    if not inside or not is_safe_name(name):
        raise InputError(
            f"{where} leads out of the folder (file {record['file']!r}, name {name!r})"
        )
    return index, label, file, name


def _no_record(where: str, error: Exception) -> InputError:
    return InputError(
        f"{where} is no record of an image ({type(error).__name__}: {error}); wanted "
        "index, label, file"
    )
