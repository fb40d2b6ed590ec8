"""The set an attack may reach: the eps ball around an image, cut with the box [0, 1].

Three norms over all pixels and channels of an image `[H, W, C]`: "linf" (largest
absolute change), "l2" (Euclidean length) and "l1" (sum of absolute changes). `eps` is
in pixels and traced.
"""

import jax
import jax.numpy as jnp
import optax

from mspd_jax.attacks._checks import check_norm
from mspd_jax.attacks._l1_ball import l1_noise, project_l1


def project(x, image, *, eps, norm) -> jax.Array:
    """Brings `x` into the ball around `image` and into [0, 1], in this order.

        linf:  clip01(clip(x, image - eps, image + eps))
        l2:    clip01(image + (x - image) * min(1, eps / |x - image|_2))
        l1:    the nearest point of both sets (`project_l1`)

    Guarantee: the result is in both sets up to float rounding (1e-6), because clipping
    to a box that holds `image` never takes a pixel further away from `image`. For linf
    it is the nearest such point. For l2 it is not where the box cuts the ball (part of
    the budget may stay unused): this is the projection that PGD is published with.

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


def ascent_direction(gradient, *, norm) -> jax.Array:
    """The step of norm 1 along which the loss rises fastest, in linf and l2.

        linf:  sign(g)          l2:  g / |g|_2

    A zero gradient gives a zero step; NaN entries count as zero, so that one overflow
    in the model does not destroy the iterate. The l2 direction is the same for g and
    c * g at any scale float32 can hold (a confident model's gradients may be 1e-30,
    whose square is not). gradient: [H, W, C]. Returns [H, W, C].
    """
    check_norm(norm, ("linf", "l2"))
    # Infinities become a number whose reciprocal float32 can still hold.
    gradient = jnp.nan_to_num(gradient, posinf=1e37, neginf=-1e37)
    if norm == "linf":
        return jnp.sign(gradient)
    largest = jnp.max(jnp.abs(gradient))
    gradient = gradient / jnp.where(largest > 0.0, largest, 1.0)
    # The largest entry is now 1, so the norm is at least 1 unless all is zero.
    return gradient / optax.safe_norm(gradient, 1.0)


def ascend(x, gradient, image, *, eps, step_size, norm) -> jax.Array:
    """One step uphill and back into the set: P(x + step_size * direction(gradient))."""
    x = x + step_size * ascent_direction(gradient, norm=norm)
    return project(x, image, eps=eps, norm=norm)


def ball_noise(key, shape, *, eps, norm) -> jax.Array:
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


def random_start(key, image, *, eps, norm) -> jax.Array:
    """`image` plus uniform noise from the ball, clipped to [0, 1]; [H, W, C]."""
    noise = ball_noise(key, image.shape, eps=eps, norm=norm)
    return jnp.clip(image + noise, 0.0, 1.0)
