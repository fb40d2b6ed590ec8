"""Data-set indices that follow from the names of images.

The place in a listing shifts when a file is added. A hash of the name does not.
"""

import hashlib
import itertools
import unicodedata
from collections.abc import Sequence


def name_indices(names: Sequence[str]) -> list[int]:
    """An index for each name: 31 bits of its hash.

    Names are distinct. Of names with the same hash the first in sorted order keeps it
    and each other takes the first free of its further hashes, so that no name outside
    such a group has another index than it has alone.
    """
    taken: dict[int, str] = {}
    for name in sorted(names):
        taken.setdefault(_hash(name, 0), name)
    indices = {name: index for index, name in taken.items()}
    for name in sorted(set(names) - indices.keys()):
        attempts = (_hash(name, attempt) for attempt in itertools.count(1))
        indices[name] = next(index for index in attempts if index not in taken)
        taken[indices[name]] = name
    return [indices[name] for name in names]


def _hash(name: str, attempt: int) -> int:
    # File systems write one accented letter in two ways.
    text = unicodedata.normalize("NFC", name).encode("utf-8", "surrogateescape")
    data = hashlib.sha256(b"%d/%s" % (attempt, text)).digest()
    return int.from_bytes(data[:4], "little") >> 1
