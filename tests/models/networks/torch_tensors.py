"""A network's variables as a file of PyTorch's has them, without PyTorch."""

import jax
import numpy as np

from mspd_jax.models._architectures import complete_options, family_of
from mspd_jax.models.conversion._names import layout_of, torch_name


def torch_tensors(spec, variables):
    """PyTorch's tensors by name: shapes are right, kernels have their numbers mixed."""
    family, found = family_of(spec.architecture), {}
    options = complete_options(spec.architecture, spec.options)
    for keys, leaf in jax.tree_util.tree_flatten_with_path(variables)[0]:
        path = tuple(key.key for key in keys)
        shape = layout_of(family, path).shape(leaf.shape)
        found[torch_name(family, options, path)] = np.asarray(leaf).reshape(shape)
    return found
