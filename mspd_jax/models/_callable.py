"""Functions as pytrees, so that wrappers can hold them as arguments."""

from collections.abc import Callable

import jax


def as_pytree(function: Callable) -> Callable:
    """A plain function as a pytree without leaves; a callable pytree as it is."""
    is_leaf = jax.tree_util.all_leaves([function])
    return jax.tree_util.Partial(function) if is_leaf else function
