"""What the tensors of our networks are called in PyTorch, and how they lie there."""

import re
from collections.abc import Mapping
from typing import TypeVar

from mspd_jax.models.networks import TRANSPOSED, Family, Layout

_Tensor = TypeVar("_Tensor")

_LEAVES = {
    "kernel": "weight",
    "scale": "weight",
    "bias": "bias",
    "mean": "running_mean",
    "var": "running_var",
}


def torch_name(family: Family, options: dict, path: tuple[str, ...]) -> str:
    """The PyTorch name of a variable, as ("params", "head", "kernel")."""
    _, *modules, leaf = path
    name, names = "/".join(modules), family.torch_names
    for pattern, replacement in names(options) if callable(names) else names:
        name = re.sub(pattern, replacement, name)
    return f"{name.replace('/', '.')}.{_LEAVES[leaf]}"


def layout_of(family: Family, path: tuple[str, ...]) -> Layout:
    """How PyTorch keeps a variable, as ("params", "head", "kernel")."""
    name = "/".join(path[1:])
    for pattern, layout in family.torch_layouts:
        if re.search(pattern, name):
            return layout
    return TRANSPOSED


def modern_names(family: Family, tensors: Mapping[str, _Tensor]) -> dict[str, _Tensor]:
    """PyTorch's tensors under the names that `torch_name` gives, not under older ones.

    One that is there under both keeps its older name, and so fits nowhere.
    """
    modern = {}
    for old, tensor in tensors.items():
        name = old
        for pattern, replacement in family.torch_spellings:
            name = re.sub(pattern, replacement, name)
        modern[old if name in tensors else name] = tensor
    return modern
