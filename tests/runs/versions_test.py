"""Versions in run.json, with and without installed packages."""

import importlib.metadata
import pathlib
import re

import jax

import mspd_jax
from mspd_jax.runs import package_versions


def test_versions_are_those_of_the_packages():
    found = package_versions()
    assert found["mspd_jax"] == mspd_jax.__version__
    assert found["jax"] == jax.__version__
    assert found.keys() >= {"jaxlib", "flax", "numpy", "orbax-checkpoint"}


def test_a_checkout_runs_without_being_installed(monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    found = package_versions()
    assert found.pop("mspd_jax") == mspd_jax.__version__
    assert set(found.values()) == {"not installed"}


def test_the_package_states_the_version_that_it_is_installed_as():
    setup = pathlib.Path(__file__).parents[2] / "setup.py"
    stated = re.search(r'version="([^"]+)"', setup.read_text())
    assert stated and stated[1] == mspd_jax.__version__
