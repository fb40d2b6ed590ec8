"""The images of a run folder, as its records list them."""

import json
import pathlib

from mspd_jax import runs
from mspd_jax.data._record import output_name
from mspd_jax.errors import InputError


def read_run_folder(spec, root):
    """Entries (index, label, path, name) of a run that wrote images, sorted by index.

    A record of an image has `index`, `file` (relative to the folder) and, where known,
    `label` and `name`; records without `file` are those of other jobs. The records of
    an unfinished run over several processes lie in several files. A last line without
    its end is what a killed run leaves and is passed over. No file outside the folder
    is ever opened, whatever the records or links in it say.
    """
    entries = {}
    try:
        for place, line in runs.record_lines(root):
            entry = _entry(f"source {spec!r}: {place}", root, line)
            if entry is not None:
                entries[entry[0]] = entry
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"source {spec!r}: cannot read the records of {root} ({error})"
        ) from error
    if not entries:
        raise InputError(
            f"source {spec!r}: the records of {root} list no images; wanted the folder "
            "of a protect or revert run"
        )
    return [entries[index] for index in sorted(entries)]


def recorded_classes(root):
    """Number of classes that run.json states (`num_classes`), or None."""
    try:
        content = json.loads((root / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    count = content.get("num_classes") if isinstance(content, dict) else None
    return count if isinstance(count, int) else None


def is_safe_name(name):
    """Whether an output name is relative, without `..`, and ends in `.png`."""
    parts = pathlib.PurePath(name).parts
    safe = ".." not in parts and not pathlib.PurePath(name).is_absolute()
    return safe and name.endswith(".png") and "\\" not in name and "\x00" not in name


def _entry(where, root, line):
    try:
        record = json.loads(line)
        if record.get("file") is None:
            return None
        index, label = int(record["index"]), int(record.get("label", -1))
        name = str(record.get("name", output_name(index, label)))
        file = root / str(record["file"])
        inside = file.resolve().is_relative_to(root.resolve())
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        raise InputError(
            f"{where} is no record of an image ({type(error).__name__}: {error}); "
            "wanted index, label, file"
        ) from error
    if not inside or not is_safe_name(name):
        raise InputError(
            f"{where} leads out of the folder (file {record['file']!r}, name {name!r})"
        )
    return index, label, file, name
