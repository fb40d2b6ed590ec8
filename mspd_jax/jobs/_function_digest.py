"""What a function is known by: its name, its code and the arrays that it holds."""

import hashlib
from collections.abc import Callable
from typing import Any

import jax
import numpy as np


def function_digest(function: Callable) -> str:
    """A hash of a function's name, its code and the arrays that it holds.

    It sees the leaves of a callable pytree and what a closure holds directly, not what
    those call in turn; and what a function says of itself in `fingerprint`.
    """
    digest = hashlib.sha256(function_name(function).encode())
    for part in _parts(function):
        digest.update(getattr(part, "fingerprint", "").encode())
        code = getattr(part, "__code__", None)
        digest.update(code.co_code if code else b"")
        held = [cell.cell_contents for cell in getattr(part, "__closure__", None) or ()]
        held += [getattr(part, "args", ()), getattr(part, "keywords", {})]
        for leaf in jax.tree.leaves((held, part)):
            if hasattr(leaf, "dtype") and not jax.dtypes.issubdtype(
                leaf.dtype, jax.dtypes.extended
            ):
                array = np.asarray(leaf)
                digest.update(f"{array.dtype} {array.shape}".encode())
                digest.update(np.ascontiguousarray(array).tobytes())
            elif isinstance(leaf, int | float | str | bool):
                digest.update(repr(leaf).encode())
    return digest.hexdigest()[:16]


def _parts(function: Any) -> list:
    """A function and what `functools.partial` and `Partial` have wrapped it in."""
    parts = [function]
    while hasattr(parts[-1], "func"):
        parts.append(parts[-1].func)
    return parts


def function_name(function: Any) -> str:
    """The module and the name of what is inside of all partial applications."""
    inner = _parts(function)[-1]
    name = getattr(inner, "__qualname__", type(inner).__qualname__)
    return f"{getattr(inner, '__module__', '?')}.{name}"
