"""Objects of a store, through fsspec.

A question about an object has three answers: it is there, it is not, or the store did
not say. The methods of `epath.Path` (and of fsspec, on which they stand) take the last
for the second: `exists` of a server that is down is False, and a run would begin anew
over its own results. Here that is a StoreError. Objects are named one by one, never by
patterns: brackets and stars in a name are letters.
"""

import contextlib
import os
import pathlib
from collections.abc import Iterator
from typing import Any

from mspd_jax.errors import StoreError, StoreRefusedError, first_line

# How often a request is sent that is answered by 500, 503 or not at all. The pauses
# between are those of botocore and gcsfs, which double: about a minute in all.
_ATTEMPTS = 8
_NEEDS = {"gs": "gcsfs", "s3": "s3fs"}
_CREDENTIALS = {
    "gs": "GOOGLE_APPLICATION_CREDENTIALS or `gcloud auth application-default login`",
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
}
_NOBODY = (
    "NoCredentialsError",
    "PartialCredentialsError",
    "CredentialRetrievalError",
    "TokenRetrievalError",
    "ProfileNotFound",
    "DefaultCredentialsError",
    "RefreshError",
)


def kind(path: pathlib.PurePath) -> str | None:
    """file, directory, or None where there is neither."""
    with _asked(path):
        try:
            return _filesystem(path).info(str(path))["type"]
        except FileNotFoundError:
            return None


def listed(path: pathlib.PurePath, *, deep: bool = False) -> dict[str, dict[str, Any]]:
    """What lies in a folder, or anywhere below, by its name within the folder.

    Each says its `type` and, files, their `size`. Empty where there is no such folder.
    """
    with _asked(path):
        import fsspec

        files = _filesystem(path)
        root = fsspec.core.strip_protocol(str(path)).rstrip("/") + "/"
        try:
            if deep:
                found = list(files.find(str(path), detail=True).values())
            else:
                found = files.ls(str(path), detail=True)
        except FileNotFoundError:
            return {}
    names = {each["name"].rstrip("/"): each for each in found}
    return {
        name.removeprefix(root): each
        for name, each in sorted(names.items())
        if name.startswith(root)
    }


def read(path: pathlib.PurePath) -> bytes:
    """The bytes of an object; FileNotFoundError where there is none."""
    with _asked(path):
        # s3fs asks for the size first, unless it may not read pieces side by side.
        return _filesystem(path).cat_file(str(path), max_concurrency=1)


def write(path: pathlib.PurePath, data: bytes) -> None:
    """Puts an object, all or nothing, whatever was there before."""
    with _asked(path, "write"):
        _filesystem(path).pipe_file(str(path), data)


def copy(path: pathlib.PurePath, to: pathlib.PurePath) -> None:
    """Has the store copy an object; FileNotFoundError where there is none."""
    with _asked(path, "copy"):
        _filesystem(path).cp_file(str(path), str(to))


def delete(path: pathlib.PurePath) -> None:
    """Deletes an object, if it is there."""
    with _asked(path, "delete"), contextlib.suppress(FileNotFoundError):
        _filesystem(path).rm_file(str(path))


def download(path: pathlib.PurePath, file: pathlib.Path) -> None:
    """Copies an object into a file, which keeps the time of its last change."""
    with _asked(path):
        store = _filesystem(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        store.get_file(str(path), str(file))
        seconds = store.modified(str(path)).timestamp()
    os.utime(file, (seconds, seconds))


def upload(file: pathlib.Path, path: pathlib.PurePath) -> None:
    """Copies a file into an object, all or nothing."""
    with _asked(path, "write"):
        _filesystem(path).put_file(str(file), str(path))


def state(path: pathlib.PurePath) -> dict[str, Any]:
    """`size` of an object, and what changes with it; FileNotFoundError if none."""
    with _asked(path):
        return _filesystem(path).info(str(path))


def version_of(info: dict[str, Any]) -> str:
    """What changes whenever an object does, of what a store says of it."""
    # A hash of the content first: a copy has the same. Google's etag is of the write.
    keys = ("ETag", "md5Hash", "etag", "LastModified", "updated", "mtime", "created")
    return next((str(info[key]).strip('"') for key in keys if info.get(key)), "")


def _filesystem(path: pathlib.PurePath) -> Any:
    """The client of a store; one for all, and what it lists is always asked anew."""
    import fsspec

    scheme = _scheme(path)
    options: dict[str, Any] = {"use_listings_cache": False}
    if scheme == "s3" and "AWS_MAX_ATTEMPTS" not in os.environ:
        options["config_kwargs"] = {"retries": {"total_max_attempts": _ATTEMPTS}}
    # What users set in FSSPEC_S3 or a file of fsspec's own goes before.
    known = fsspec.config.conf.get(scheme, {})
    own = {name: value for name, value in options.items() if name not in known}
    return fsspec.filesystem(scheme, **own)


def _scheme(path: pathlib.PurePath) -> str:
    return str(path).partition("://")[0]


@contextlib.contextmanager
def _asked(path: pathlib.PurePath, doing: str = "read") -> Iterator[None]:
    """Whatever a client raises as a StoreError of one line.

    FileNotFoundError of an object to read or copy is an answer, and stays what it is.
    """
    scheme = _scheme(path)
    try:
        yield
    except FileNotFoundError as error:
        if doing in ("read", "copy"):
            raise
        bucket = str(path).removeprefix(f"{scheme}://").partition("/")[0]
        raise StoreRefusedError(
            f"cannot {doing} {path}: there is no bucket {bucket!r}; make it, or name "
            "another one"
        ) from error
    except ImportError as error:
        raise StoreRefusedError(
            f"{path} needs the package {_NEEDS[scheme]} ({first_line(error)}): pip "
            f"install 'mspd_jax[{scheme.replace('gs', 'gcs')}]'"
        ) from error
    except StoreError:
        raise
    except Exception as error:  # of three libraries, none of which documents its types
        if type(error).__name__ == "ParamValidationError":
            raise StoreRefusedError(
                f"cannot {doing} {path}: {' '.join(str(error).split())}"
            ) from error
        if type(error).__name__ in _NOBODY:
            raise StoreRefusedError(
                f"cannot {doing} {path}: no credentials ({first_line(error)}); set "
                f"{_CREDENTIALS[scheme]}"
            ) from error
        if isinstance(error, PermissionError):
            raise StoreRefusedError(
                f"cannot {doing} {path}: the store refuses it ({first_line(error)}); "
                f"these credentials may not, or are wrong: {_CREDENTIALS[scheme]}"
            ) from error
        raise StoreError(
            f"cannot {doing} {path}: the store does not answer as it should "
            f"({type(error).__name__}: {first_line(error)}); nothing that was written "
            "is lost, the same command goes on"
        ) from error
