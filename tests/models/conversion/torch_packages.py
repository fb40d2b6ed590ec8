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

# Registers operations that a torchvision built for another PyTorch does not have; timm
# and diffusers import torchvision, too, so that this module comes before them.
_OPERATIONS = "torchvision._meta_registrations"
sys.modules.setdefault(_OPERATIONS, types.ModuleType(_OPERATIONS))


def torchvision_models() -> types.ModuleType:
    """torchvision.models, or the test is skipped."""
    return pytest.importorskip("torchvision.models")


def timm() -> types.ModuleType:
    """timm, or the test is skipped."""
    return pytest.importorskip("timm")


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
