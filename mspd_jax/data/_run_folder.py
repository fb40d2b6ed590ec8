"""The images of a run folder, as its `records.jsonl` lists them."""

import json
import pathlib

from mspd_jax.data._record import output_name
from mspd_jax.errors import InputError


def read_run_folder(spec, root):
    """Entries (index, label, path, name) of a run that wrote images, sorted by index.

    A record of an image has `index`, `file` (relative to the folder) and, where known,
    `label` and `name`; records without `file` are those of images that failed. A last
    line without its end is what a killed run leaves and is passed over. No file outside
    the folder is ever opened, whatever the records or links in it say.
    """
    path = root / "records.jsonl"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"source {spec!r}: cannot read {path} ({error})") from error
    inside = root.resolve()
    entries = {}
    for number, line in enumerate(text.split("\n")[:-1], start=1):
        try:
            record = json.loads(line)
            if record.get("file") is None:
                continue
            index, label = int(record["index"]), int(record.get("label", -1))
            name = str(record.get("name", output_name(index, label)))
            file = root / str(record["file"])
            escapes = not file.resolve().is_relative_to(inside)
        except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
            raise InputError(
                f"source {spec!r}: line {number} of {path} is no record of an image "
                f"({type(error).__name__}: {error}); wanted index, label, file"
            ) from error
        if escapes or not is_safe_name(name):
            raise InputError(
                f"source {spec!r}: line {number} of {path} leads out of the folder "
                f"(file {record['file']!r}, name {name!r})"
            )
        entries[index] = (index, label, file, name)
    if not entries:
        raise InputError(
            f"source {spec!r}: {path} lists no images; wanted the folder of a protect "
            "or revert run"
        )
    return [entries[index] for index in sorted(entries)]


def is_safe_name(name):
    """Whether an output name is relative, without `..`, and ends in `.png`."""
    parts = pathlib.PurePath(name).parts
    safe = ".." not in parts and not pathlib.PurePath(name).is_absolute()
    return safe and name.endswith(".png") and "\\" not in name and "\x00" not in name
