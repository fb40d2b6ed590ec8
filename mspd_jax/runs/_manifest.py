"""What a finished run holds, in a store: MANIFEST.json, and _SUCCESS after it.

The manifest lists each object with its size and the sha256 of what the store gives
back. Objects that have not changed since the last manifest are not read again. A folder
below that is sealed itself stands for all that is in it by its own manifest.
"""

import hashlib
import json
import pathlib
from collections.abc import Sequence

from mspd_jax import paths

_MANIFEST, _SUCCESS = "MANIFEST.json", "_SUCCESS"
SEALS = (_MANIFEST, _SUCCESS)


def seal(folder: pathlib.PurePath) -> None:
    """Writes the manifest of a finished run in a store, and _SUCCESS last.

    Called by one process, when all have finished. On the disk there is nothing to do:
    files there take their names when they are whole, and summary.json is the last.
    """
    if not paths.is_store(folder):
        return
    versions = _objects(folder)
    old = _read(folder) if folder / _MANIFEST in paths.children(folder) else {}
    changed = [
        path
        for path, version in versions.items()
        if old.get(_name(folder, path), {}).get("version") != version
    ]
    hashes = dict(zip(changed, paths.each(_sha256, changed), strict=True))
    entries = {
        _name(folder, path): {
            "version": version,
            "sha256": hashes.get(path) or old[_name(folder, path)]["sha256"],
        }
        for path, version in versions.items()
    }
    if entries != old:
        unseal(folder)
        _write(folder, entries)
    paths.write_object(folder / _SUCCESS, b"")


def is_sealed(folder: pathlib.PurePath) -> bool:
    """Whether a run in a store has been sealed; on the disk there is nothing to do."""
    return not paths.is_store(folder) or paths.is_file(folder / _SUCCESS)


def unseal(folder: pathlib.PurePath) -> None:
    """Takes back _SUCCESS, before a run in a store goes on."""
    if paths.is_store(folder):
        paths.remove([folder / _SUCCESS])


def take_over(parts: Sequence[pathlib.PurePath], folder: pathlib.PurePath) -> None:
    """Writes what the manifests of parts say as that of a run made of copies of theirs.

    `seal` then reads only those again that the store calls something else: in S3, whose
    copies are named by the hash of their content, hardly any.
    """
    entries: dict[str, dict] = {}
    for found in paths.each(_read, parts):
        entries |= found
    _write(folder, entries)


def _objects(folder: pathlib.PurePath) -> dict[pathlib.PurePath, str]:
    """What a manifest lists, with the versions that the store gives."""
    found = paths.files_below(folder)
    sealed = {p.parent for p in found if p.name == _SUCCESS} - {folder}
    return {
        path: version
        for path, version in found.items()
        if not sealed.intersection(path.parent.parents)
        and (path.parent not in sealed or path.name == _MANIFEST)
        and (path.parent != folder or path.name not in (_MANIFEST, _SUCCESS))
    }


def _read(folder: pathlib.PurePath) -> dict[str, dict]:
    try:
        return dict(json.loads(paths.read_text(folder / _MANIFEST))["files"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return {}  # none, or not one of ours: all is read again


def _write(folder: pathlib.PurePath, entries: dict[str, dict]) -> None:
    text = json.dumps({"files": entries}, indent=1) + "\n"
    paths.write_object(folder / _MANIFEST, text.encode())


def _name(folder: pathlib.PurePath, path: pathlib.PurePath) -> str:
    return path.relative_to(folder).as_posix()


def _sha256(path: pathlib.PurePath) -> str:
    return hashlib.sha256(paths.read_bytes(path)).hexdigest()
