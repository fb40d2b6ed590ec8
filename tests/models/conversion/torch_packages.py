"""Definitions of networks by the packages whose checkpoints we read.

For tests alone: nothing of a package runs but what defines a network, so that neither
its compiled operations nor what it needs for other purposes have to be there.
"""

import importlib
import importlib.util
import pathlib
import sys
import types
from unittest import mock

import pytest


def torchvision_models() -> types.ModuleType:
    """torchvision.models, or the test is skipped."""
    return _imported("torchvision.models")


def timm() -> types.ModuleType:
    """timm, or the test is skipped."""
    _imported("torchvision.models")  # which timm imports
    return _imported("timm")


def robustbench(name: str) -> types.ModuleType:
    """A file of robustbench.model_zoo.architectures, or the test is skipped."""
    spec = importlib.util.find_spec("robustbench")
    if spec is None:
        pytest.skip("parity needs RobustBench: pip install --no-deps robustbench")
    torchvision_models()  # which some of them import
    bare, folder = {}, pathlib.Path(spec.origin).parent
    for part in ("", ".model_zoo", ".model_zoo.architectures"):
        package = types.ModuleType(f"robustbench{part}")
        package.__path__ = [str(folder.joinpath(*part.split(".")))]
        bare[package.__name__] = package
    with mock.patch.dict(sys.modules, bare):
        return importlib.import_module(f"robustbench.model_zoo.architectures.{name}")


def _imported(name: str) -> types.ModuleType:
    # Registers operations that a torchvision built for another PyTorch does not have.
    operations = "torchvision._meta_registrations"
    if operations not in sys.modules:
        sys.modules[operations] = types.ModuleType(operations)
    return pytest.importorskip(name)
