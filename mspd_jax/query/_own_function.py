"""A function out of the user's own code, by its place."""

import importlib
from collections.abc import Callable

from mspd_jax.errors import InputError, first_line


def own_function(spec: str) -> Callable:
    """The function "package.module:function" out of the user's own code.

    The module is imported, which runs it; it must be on Python's path. Raises
    InputError in one line, also for what the module itself raises.
    """
    module_name, _, place = spec.partition(":")
    if not module_name or not place or module_name.startswith("."):
        raise InputError(f"{spec!r}: accepted is package.module:function")
    try:
        value = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        missing = error.name or module_name
        own = f"{module_name}.".startswith(f"{missing}.")
        needs = "" if own else f", which {module_name} needs"
        raise InputError(
            f"no module {missing!r}{needs}: is it on Python's path (PYTHONPATH)?"
        ) from error
    except Exception as error:
        raise InputError(
            f"module {module_name!r} cannot be imported: {type(error).__name__}: "
            f"{first_line(error)}"
        ) from error
    for part in place.split("."):
        if not hasattr(value, part):
            raise InputError(f"module {module_name!r} has no {place!r}")
        value = getattr(value, part)
    if not callable(value):
        raise InputError(f"{spec!r} is a {type(value).__name__}, not a function")
    return value
