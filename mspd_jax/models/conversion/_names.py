"""What the tensors of our networks are called in PyTorch, and how they lie there."""

import re

from mspd_jax.models.networks import AS_IT_IS, TRANSPOSED, Family, Layout

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
    parts = [*name.split("/"), _LEAVES.get(leaf, leaf)]
    return ".".join(part for part in parts if part)


def layout_of(family: Family, path: tuple[str, ...]) -> Layout:
    """How PyTorch keeps a variable, as ("params", "head", "kernel").

    Kernels alone are turned; tokens, tables and the like are as they are.
    """
    if path[-1] != "kernel":
        return AS_IT_IS
    name = "/".join(path[1:])
    for pattern, layout in family.torch_layouts:
        if re.search(pattern, name):
            return layout
    return TRANSPOSED
