"""What tables call the model of a run, and the defense in front of it."""

import pathlib
import urllib.parse
from collections.abc import Mapping
from typing import Any


def model_name(fields: Mapping[str, Any]) -> str | None:
    """The model that the run is about: its checkpoint's name, or where it is queried.

    fields: of the run's job.
    """
    if fields.get("query"):
        return _query_name(fields["query"])
    roles = ("target", "surrogate", "arch", "init")
    return path_name(next((fields[r] for r in roles if fields.get(r)), None))


def defense_name(fields: Mapping[str, Any]) -> str | None:
    """What stands in front of the model: checkpoints by the names of their folders."""
    roles = (fields.get(role) for role in ("purify", "defense"))
    chain = [text for text in roles if text not in (None, "", "none")]
    layers = [layer.strip().partition(":") for layer in ",".join(chain).split(",")]
    names = [f"{name}{colon}{path_name(rest) or ''}" for name, colon, rest in layers]
    return ",".join(names) or None


def path_name(path: str | None) -> str | None:
    """Last part of the path of a checkpoint; `x/model` is x."""
    parts = [] if path is None else pathlib.PurePath(str(path)).parts
    if len(parts) > 1 and parts[-1] == "model":
        parts = parts[:-1]
    return parts[-1] if parts else None


def _query_name(query: str) -> str:
    """What is queried, without parts that may be secret: reports are passed on."""
    kind, _, rest = query.partition(":")
    if kind in ("http", "https"):
        return urllib.parse.urlsplit(query).hostname or kind
    if kind == "command":
        words = rest.split()
        return pathlib.PurePath(words[0]).name if words else kind
    return rest
