"""Versions of the software that a run was made with."""

import importlib.metadata

import mspd_jax

_PACKAGES = ("jax", "jaxlib", "flax", "numpy", "orbax-checkpoint")


def package_versions() -> dict[str, str]:
    """Versions by package, for run.json; "not installed" for one that is not there.

    That of mspd_jax is its own word: a checkout runs without being installed.
    """
    return {"mspd_jax": mspd_jax.__version__} | {
        name: _version(name) for name in _PACKAGES
    }


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
