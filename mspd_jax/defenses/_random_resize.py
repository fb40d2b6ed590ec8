"""A random size and place: a randomized defense."""

import numbers

import jax

from mspd_jax.attacks import diversify


def random_resize(
    key: jax.Array, image: jax.Array, *, least: float | jax.Array
) -> jax.Array:
    """Shrinks the image at random and puts it at a random place on black.

    The sides become whole numbers drawn uniformly from floor(least * side)..side, both
    by one draw, and the rest is filled with zeros: the random resizing and padding of
    Xie et al. 2018 (arXiv 1711.01991), also the optional layer in front of the
    concealment module (arXiv 2205.10617).

    image: [H, W, C]; least: in (0, 1], traced; 1 leaves the image as it is. Returns
    [H, W, C], linear in the image: gradient flows. With the key as a leaf,
    `Partial(random_resize, key, least=0.9)` is a randomized transform:
    `models.behind(it, predict)` is a randomized model, which `attacks.reseed` draws
    again and which `attacks.eot` averages.

    Deviation: the paper enlarges from 299 to at most 330 pixels. A model of one input
    size cannot take that: the image shrinks instead, as in `attacks.diversify`.
    """
    if isinstance(least, numbers.Real) and not 0.0 < least <= 1.0:
        raise ValueError(f"least must be above 0 and at most 1; got {least}")
    return diversify(key, image, probability=1.0, resize=least)
