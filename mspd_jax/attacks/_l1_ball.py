"""The l1 ball cut with the box [0, 1]: projection, steps and uniform noise.

In l1 the two cannot be dealt with one after the other: clipping to the box gives back
budget that the projection onto the ball has taken, and attacks get visibly weaker
(Croce and Hein 2021, "Mind the box", arXiv 2103.01208).
"""

import jax
import jax.numpy as jnp
from jax import lax

# 40 halvings bring the bracket from _FAR to below float32's last digit of a pixel.
_HALVINGS = 40
_FAR = 100.0


def project_l1(x, image, *, eps) -> jax.Array:
    """The point of {z in [0, 1] : |z - image|_1 <= eps} that is nearest to `x` in l2.

        z = image + clip(soft(x - image, t), -image, 1 - image),
        soft(d, t) = sign(d) max(|d| - t, 0),

    with the smallest t >= 0 that meets the budget: for a given multiplier t the problem
    falls apart into one for each pixel, whose solution this is, and |z - image|_1 falls
    as t grows, so that t is found by bisection (no sort, which is slow under `vmap`).
    The upper end of the bracket is taken: the budget is kept, up to float rounding.

    x, image: [H, W, C], image in [0, 1]; eps: in pixels, traced; changes above 100
    count as 100. Returns [H, W, C]. The derivative holds t fixed.
    """
    change = jnp.clip(x - image, -_FAR, _FAR)
    fixed = lax.stop_gradient(change)

    def shrunk(change, t):
        moved = jnp.sign(change) * jnp.maximum(jnp.abs(change) - t, 0.0)
        return jnp.clip(moved, -image, 1.0 - image)

    def too_long(t):
        return jnp.sum(jnp.abs(shrunk(fixed, t))) > eps

    def halve(_, bracket):
        low, high = bracket
        middle = 0.5 * (low + high)
        long = too_long(middle)
        return jnp.where(long, middle, low), jnp.where(long, high, middle)

    # At t = max |change| nothing is left, which meets every budget.
    zero = jnp.zeros_like(change, shape=())
    _, high = lax.fori_loop(0, _HALVINGS, halve, (zero, jnp.max(jnp.abs(fixed))))
    t = jnp.where(too_long(zero), high, zero)
    return jnp.clip(image + shrunk(change, t), 0.0, 1.0)


def sparse_direction(gradient, count) -> jax.Array:
    """Equal steps along the `count` largest entries of the gradient, of l1 norm 1.

        s_i = sign(g_i) / m for the m entries with |g_i| >= the count-th largest |g|

    More entries than `count` where there are ties, fewer where the others are zero, one
    at least. A zero gradient gives a zero step; NaN entries count as zero. gradient:
    [H, W, C]; count: [], traced. Returns [H, W, C], constant for differentiation.
    """
    gradient = lax.stop_gradient(jnp.nan_to_num(gradient))
    # Floats that are not negative are ordered as their bits are, read as an integer.
    # So the threshold is found exactly, bit by bit from the highest, without a sort
    # (slow under `vmap`): a bit is set where that leaves enough entries.
    size = jnp.abs(gradient).astype(jnp.float32)
    bits = lax.bitcast_convert_type(size, jnp.int32)
    count = jnp.maximum(jnp.asarray(count, jnp.int32), 1)

    def raise_threshold(place, threshold):
        trial = threshold | lax.shift_left(jnp.int32(1), jnp.int32(30 - place))
        enough = jnp.sum(bits >= trial) >= count
        return jnp.where(enough, trial, threshold)

    threshold = lax.fori_loop(0, 31, raise_threshold, jnp.int32(0))
    signs = jnp.where(bits >= threshold, jnp.sign(gradient), 0.0)
    return signs / jnp.maximum(jnp.sum(jnp.abs(signs)), 1.0)


def l1_noise(key, shape, *, eps) -> jax.Array:
    """A point drawn uniformly from the l1 ball of radius eps around zero.

    Signed exponentials divided by the sum of their sizes and of one more exponential:
    the first d of d + 1 spacings of the unit interval are uniform on the simplex.
    """
    size_key, sign_key, rest_key = jax.random.split(key, 3)
    size = jax.random.exponential(size_key, shape)
    rest = jax.random.exponential(rest_key)
    sign = jax.random.rademacher(sign_key, shape, dtype=size.dtype)
    return eps * sign * size / (jnp.sum(size) + rest)
