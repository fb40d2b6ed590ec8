"""PyTorch definitions of published networks, from the packages that publish them."""

import importlib.util
import pathlib
import sys

import pytest


def robustbench(name: str):
    """A file of RobustBench's architectures, without what the package needs besides."""
    if (found := importlib.util.find_spec("robustbench")) is None:
        pytest.skip("needs its definitions: pip install --no-deps robustbench")
    folder = pathlib.Path(found.submodule_search_locations[0], "model_zoo")
    path = folder / "architectures" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"robustbench_{name}", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
