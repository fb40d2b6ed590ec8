"""The set an attack may reach: the eps ball around an image, cut with the box [0, 1].

Three norms over all pixels and channels of an image `[H, W, C]`: "linf" (largest
absolute change), "l2" (Euclidean length) and "l1" (sum of absolute changes). `eps` is
in pixels and traced.
"""

import jax
import jax.numpy as jnp
import optax

from mspd_jax.attacks._checks import check_norm
from mspd_jax.attacks._l1_ball import l1_noise, project_l1, sparse_direction

_SPARSITY = 0.01  # share of the entries that one step in l1 changes


def project(
    x: jax.Array, image: jax.Array, *, eps: float | jax.Array, norm: str
) -> jax.Array:
    """Brings `x` into the ball around `image` and into [0, 1], in this order.

        linf:  clip01(clip(x, image - eps, image + eps))
        l2:    clip01(image + (x - image) * min(1, eps / |x - image|_2))
        l1:    the nearest point of both sets (`project_l1`)

    Guarantee: the result is in both sets up to float rounding (1e-6), because clipping
    to a box that holds `image` never takes a pixel further away from `image`. For linf
    it is the nearest such point. For l2 it is not where the box cuts the ball (part of
    the budget may stay unused): this is the projection that PGD is published with.

    Deviation: `optax.projections` knows the balls alone, not their cut with the box.
    Its l2 ball multiplies and divides in another order, so that bits would change; its
    l1 ball sorts, which is slow under `vmap`.

    x, image: [H, W, C], image in [0, 1]. Returns [H, W, C]. Gradient flows as through
    clips (zero where clipped).
    """
    check_norm(norm)
    if norm == "l1":
        return project_l1(x, image, eps=eps)
    if norm == "linf":
        x = jnp.clip(x, image - eps, image + eps)
    else:
        change = x - image
        # Floor of the norm: eps = 0 and a change of 0 must not make 0 / 0.
        length = optax.safe_norm(change, 1e-30)
        x = image + change * jnp.where(length > eps, eps / length, 1.0)
    return jnp.clip(x, 0.0, 1.0)


def ascent_direction(gradient: jax.Array, *, norm: str) -> jax.Array:
    """A step of norm 1 uphill: in linf and l2 the one along which the loss rises most.

        linf:  sign(g)          l2:  g / |g|_2
        l1:    sign(g_i) / m for the m entries with the largest |g_i|, 1 % of them all

    In l1 the steepest step would change one entry only. That of SLIDE changes a few
    (Tramer and Boneh 2019, arXiv 1904.13000); one at least, more where there are ties,
    fewer where the others are zero.

    A zero gradient gives a zero step; NaN entries count as zero, so that one overflow
    in the model does not destroy the iterate. The l2 direction is the same for g and
    c * g at any scale float32 can hold (a confident model's gradients may be 1e-30,
    whose square is not). gradient: [H, W, C]. Returns [H, W, C]; in linf and l1 a
    constant for differentiation.
    """
    check_norm(norm)
    # Infinities become a number whose reciprocal float32 can still hold.
    gradient = jnp.nan_to_num(gradient, posinf=1e37, neginf=-1e37)
    if norm == "linf":
        return jnp.sign(gradient)
    if norm == "l1":
        return sparse_direction(gradient, _sparse_count(gradient))
    largest = jnp.max(jnp.abs(gradient))
    gradient = gradient / jnp.where(largest > 0.0, largest, 1.0)
    # The largest entry is now 1, so the norm is at least 1 unless all is zero.
    return gradient / optax.safe_norm(gradient, 1.0)


def ascend(
    x: jax.Array,
    gradient: jax.Array,
    image: jax.Array,
    *,
    eps: float | jax.Array,
    step_size: float | jax.Array,
    norm: str,
    along: str | None = None,
) -> jax.Array:
    """One step uphill and back into the set: P(x + step_size * direction(gradient)).

    In l1 the entries are chosen by what a step gains in them before the box holds them
    back, so that those at its edge are left out:

        |g_i| min(1, room_i / (step_size / m)),    room_i: from x_i to the edge uphill

    Else most steps are spent on a few entries that cannot move (Croce and Hein 2021,
    arXiv 2103.01208). Deviation: SLIDE leaves out entries exactly at the edge alone.
    The projection takes a little from every changed entry, so that few are ever there
    and steps return to those that were full a moment ago: on linear models of 8x8
    pixels, 100 steps from random starts at eps = 3 gained .61 of the best in this way,
    .99 by the rule above.

    gradient: of what is to rise, at `x`. image: the center of the ball. eps, step_size:
    in pixels, traced. along: the norm whose steepest direction is taken; None for that
    of the ball.
    """
    along = norm if along is None else along
    if along == "l1":
        room = jnp.where(gradient > 0.0, 1.0 - x, x)
        share = step_size / _sparse_count(gradient)
        gradient = gradient * jnp.clip(room / jnp.maximum(share, 1e-30), 0.0, 1.0)
    x = x + step_size * ascent_direction(gradient, norm=along)
    return project(x, image, eps=eps, norm=norm)


def _sparse_count(gradient):
    return max(1, round(_SPARSITY * gradient.size))


def ball_noise(
    key: jax.Array, shape: tuple[int, ...], *, eps: float | jax.Array, norm: str
) -> jax.Array:
    """A point drawn uniformly from the eps ball around zero, float32 of `shape`.

    linf: independent U(-eps, eps) per entry. l2: a normalized Gaussian times
    eps * U^(1/d), d the number of entries. l1: likewise (`l1_noise`).
    """
    check_norm(norm)
    if norm == "l1":
        return l1_noise(key, shape, eps=eps)
    if norm == "linf":
        return eps * jax.random.uniform(key, shape, minval=-1.0, maxval=1.0)
    direction_key, radius_key = jax.random.split(key)
    direction = jax.random.normal(direction_key, shape)
    radius = jax.random.uniform(radius_key) ** (1.0 / direction.size)
    return eps * radius * direction / optax.safe_norm(direction, 1e-30)


def random_start(
    key: jax.Array, image: jax.Array, *, eps: float | jax.Array, norm: str
) -> jax.Array:
    """`image` plus uniform noise from the ball, clipped to [0, 1]; [H, W, C]."""
    noise = ball_noise(key, image.shape, eps=eps, norm=norm)
    return jnp.clip(image + noise, 0.0, 1.0)
