"""What a user's text means as a path."""

import os
import pathlib
import re

from mspd_jax.errors import InputError

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://")
SCHEMES = ("gs", "s3")


def as_path(text: str | os.PathLike) -> pathlib.PurePath:
    """The path that a text means: a `pathlib.Path`, or an `epath.Path` in a store.

    `pathlib` takes `s3://bucket/x` for the folder `s3:` and drops a slash. Raises
    InputError for `scheme://` of any other scheme.

    Example:
      paths.as_path("s3://bucket/run") / "records.jsonl"
    """
    found = _SCHEME.match(os.fspath(text))
    if found is None:
        return pathlib.Path(text)
    if found[1] not in SCHEMES:
        raise InputError(
            f"{os.fspath(text)}: {found[1]}:// is no store that is known; wanted a "
            "path of this machine, gs://BUCKET/PATH or s3://BUCKET/PATH"
        )
    from etils import epath  # a moment, for those who use no store

    return epath.Path(text)


def is_store(path: str | os.PathLike) -> bool:
    """Whether a path lies in an object store."""
    return os.fspath(path).startswith(tuple(f"{scheme}://" for scheme in SCHEMES))
