"""What the tensors of our networks are called in PyTorch state dicts."""

import re

from mspd_jax.models.networks import Family

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
