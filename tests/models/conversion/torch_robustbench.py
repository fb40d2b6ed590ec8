"""Definitions of networks from robustbench, without all that robustbench imports."""

import importlib
import importlib.util
import pathlib
import sys
import types

_ARCHITECTURES = "robustbench.model_zoo.architectures"


def architecture(name):
    """The module `name` of robustbench's architectures.

    The package itself wants data sets, attacks and a dozen libraries at its import. So
    its two outer packages are empty ones here, that only know where their files are.
    ImportError where robustbench is missing.
    """
    if _ARCHITECTURES not in sys.modules:
        spec = importlib.util.find_spec("robustbench")
        if spec is None:
            raise ImportError("robustbench is not installed")
        root = pathlib.Path(spec.origin).parent
        _put("robustbench", root)
        _put("robustbench.model_zoo", root / "model_zoo")
    return importlib.import_module(f"{_ARCHITECTURES}.{name}")


def _put(package, folder):
    module = types.ModuleType(package)
    module.__path__ = [str(folder)]
    sys.modules.setdefault(package, module)
