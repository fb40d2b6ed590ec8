"""The noise of smoothing: draw `i` is a function of the key and of `i`.

Addressed this way, a draw does not depend on how many are worked on at once, on which
device draws it, or on where an interrupted count went on.
"""

import jax

# What a certificate draws from its key: votes that choose the class, and fresh ones,
# independent of the choice, that bound its probability.
SELECTION, ESTIMATION = 0, 1


def noise_at(key: jax.Array, numbers: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Standard normal noise by sample number.

        n_i ~ N(0, I),   drawn from fold_in(key, i)

    The noise of a stage is that of fold_in(key, SELECTION) or fold_in(key, ESTIMATION).
    numbers: int [m]; shape: static, of one image. Returns float32 [m, *shape]; no
    gradient flows into it.

    float32 noise has 2^23 values up to about 5.4, not a continuum: guarantees hold for
    it as for exact normal noise, as usual, not by proof (Voracek and Hein 2023,
    "Sound randomized smoothing in floating-point arithmetic").
    """
    return jax.vmap(
        lambda number: jax.random.normal(jax.random.fold_in(key, number), shape)
    )(numbers)
