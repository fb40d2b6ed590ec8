"""Windows and bumps of Square from their descriptions, for its tests."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from mspd_jax.attacks import _square_patterns as patterns

ORDER = {"linf": np.inf, "l2": 2, "l1": 1}


def sides_of(queries, shape, norm, rescale=False):
    halved = patterns.halvings(queries, rescale=rescale)
    size = functools.partial(patterns.window_size, shape=shape, p_init=0.8, norm=norm)
    return np.asarray(jax.vmap(size)(jnp.asarray(halved)))


def hills(size, norm):
    """The bump from its description: nested squares, one after the other."""

    def hill(tall):
        value = np.zeros((tall, size))
        for k in range(1, max(tall // 2, size // 2) + 2):
            for i in range(tall):
                for j in range(size):
                    if max(abs(i - tall // 2), abs(j - size // 2)) <= k - 1:
                        value[i, j] += k ** {"l2": -2.0, "l1": -4.0}[norm]
        return value / max(np.linalg.norm(value.ravel(), ORDER[norm]), 1e-30)

    both = np.concatenate([hill(size // 2), -hill(size - size // 2)])
    return both / np.linalg.norm(both.ravel(), ORDER[norm])
