"""Names of the files that are written, from those that were read.

A name never leads out of the folder that is written into, is text that any disk and
any store can hold, and no two are the same, also where the disk does not know small
from capital letters.
"""

import collections
import hashlib
import pathlib
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence

from mspd_jax.pictures._formats import FORMATS
from mspd_jax.pictures._kind import SUFFIXES

_LONGEST = 200  # bytes of a part: a suffix and the mark of a partial file follow
# Control characters, bytes that are no text, and what parts folders elsewhere.
_UNSAFE = re.compile(r"[\x00-\x1f\x7f\\\ud800-\udfff]")


def output_names(
    files: Sequence[pathlib.PurePath],
    suffix: str,
    wrote: Callable[[int, str], bool] = lambda place, name: False,
) -> list[str]:
    """A relative name with `/` for each of some relative files, ending in `suffix`.

    That of the file with another suffix, `a.png` for `a.jpg`. Where several files would
    have one name, each keeps its own suffix, too: `a.jpg.png`, `a.bmp.png`.

    wrote: whether the file of a place was written under a name before; then it keeps
    that, whatever files have come or gone. Asked only where there are two names to
    choose from.
    """
    names, taken = _named(files, {}), set[str]()
    kept: dict[int, str] = {}
    for place, (file, name) in enumerate(zip(files, names, strict=True)):
        others = [other for other in (way(file) for way in _WAYS) if other != name]
        found = [
            other
            for other in others
            # Copies of a picture have one content: the first keeps the name.
            if other not in taken and wrote(place, other + suffix)
        ]
        if found and not wrote(place, name + suffix):
            kept[place] = found[0]
            taken.add(found[0])
    return [name + suffix for name in (_named(files, kept) if kept else names)]


def _named(files: Sequence[pathlib.PurePath], kept: Mapping[int, str]) -> list[str]:
    """Names without suffix; kept: those that are not to be chosen."""
    names = [kept.get(place, _bare(file)) for place, file in enumerate(files)]
    for way in _WAYS[1:]:
        clash = _clashing(names)
        names = [
            way(file) if found and place not in kept else name
            for place, (file, name, found) in enumerate(
                zip(files, names, clash, strict=True)
            )
        ]
    return names


def _clashing(names: Sequence[str]) -> list[bool]:
    """Whether a name, without suffix, is that of another file or of a folder."""
    keys = [_key(name) for name in names]
    files = collections.Counter(keys)
    folders = {
        str(parent) for key in keys for parent in pathlib.PurePosixPath(key).parents
    }
    ends = [each.suffix for each in FORMATS.values()]
    return [files[key] > 1 or any(key + end in folders for end in ends) for key in keys]


def _key(name: str) -> str:
    # File systems write one accented letter in two ways.
    return unicodedata.normalize("NFC", name).casefold()


def _bare(file: pathlib.PurePath) -> str:
    return _safe(_without_suffix(file))


def _with_hash(file: pathlib.PurePath) -> str:
    mark = hashlib.sha256(file.as_posix().encode("utf-8", "surrogateescape"))
    return f"{_safe(file)}~{mark.hexdigest()[:8]}"


def _without_suffix(file: pathlib.PurePath) -> pathlib.PurePath:
    known = file.suffix.lower() in SUFFIXES
    # What is left of `..png` would be no name.
    return file.with_suffix("") if known and file.stem.strip(".") else file


def _safe(file: pathlib.PurePath) -> str:
    parts = [_safe_part(part) for part in file.parts if part != file.anchor]
    if parts and parts[0][1:2] == ":":
        parts[0] = parts[0].replace(":", "%3A", 1)  # elsewhere the name of a disk
    return "/".join(parts)


def _safe_part(part: str) -> str:
    if part in (".", ".."):
        return part.replace(".", "%2E")
    part = _UNSAFE.sub(_escaped, part)
    content = part.encode()
    if len(content) <= _LONGEST:
        return part
    mark = hashlib.sha256(content).hexdigest()[:8]
    return f"{content[: _LONGEST - 9].decode(errors='ignore')}~{mark}"


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    # Bytes that are no text come as the code points U+DC80 to U+DCFF.
    return f"%{code & 0xFF if 0xDC80 <= code <= 0xDCFF else code:02X}"


# From the name that people expect to those that are no one else's.
_WAYS = (_bare, _safe, _with_hash)
