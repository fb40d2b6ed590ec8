"""The nearest point of a plane inside the box [0, 1], in linf, l2 or l1.

Croce and Hein 2020 (arXiv 1907.02044), section 3.1, solve the problem by sorting the
pixels. Sorting is slow under `vmap` on CPUs, and the problem has one unknown, the
multiplier of the plane, that is found without.
"""

import jax
import jax.numpy as jnp
from jax import lax

from mspd_jax.attacks._checks import check_norm

_NEWTON = 20
_BITS = 31  # of a float32 that is not negative
_FAR = 1e30


def step_to_plane(x, plane, *, norm) -> jax.Array:
    """The smallest change d with x + d in the box and on the plane; [H, W, C].

        min |d|  such that  value + <normal, d> = 0  and  x + d in [0, 1]

    Where the box and the plane do not meet: the d that brings the two nearest, every
    pixel with a say at its end of the box. Pixels in which the normal is zero stay.

    With a = |normal|, and r the room of each pixel on the way to the plane, the change
    is of size m >= 0 with sum(a m) = |value| and

        linf:  m = min(t, r)        l2:  m = min(t a, r)
        l1:    m = r where a > t, 0 where a < t, a share of r where a = t.

    linf, l2: what is gained, sum(a m), is increasing, concave and piecewise linear in
    t. Newton's method from t = 0 then never passes the root. Each step multiplies
    (missing gain) * (slope) by 1/4 or less, so that 20 steps reach float32's last digit
    unless the slopes differ by more than 2^17. l1: t is found by halving the
    float32 numbers themselves, whose bit patterns are ordered as they are: 31 exact
    steps; pixels of equal a share evenly.

    Guarantee: up to float rounding the plane is reached or, if at all, not quite: never
    passed. x: [H, W, C] in [0, 1]; plane: a `Plane` around `x`.
    """
    check_norm(norm)
    value, normal = plane
    weight = jnp.abs(normal)
    need = jnp.minimum(jnp.abs(value), _FAR)
    # Uphill from a negative value, downhill from a positive one.
    direction = jnp.sign(normal) * jnp.where(value < 0.0, 1.0, -1.0)
    room = jnp.where(direction > 0.0, 1.0 - x, jnp.where(direction < 0.0, x, 0.0))
    room = jnp.maximum(room, 0.0)
    if norm == "linf":
        move = _fill(jnp.ones_like(weight), weight, room, need)
    elif norm == "l2":
        move = _fill(weight, weight, room, need)
    else:
        move = _fill_greedily(weight, room, need)
    return direction * move


def _fill(rate, weight, room, need):
    """min(t * rate, room) with the t at which sum(weight * it) = need, by Newton."""

    def newton(_, t):
        full = t * rate >= room
        gained = jnp.sum(jnp.where(full, weight * room, 0.0))
        slope = jnp.sum(jnp.where(full, 0.0, weight * rate))
        # All pixels full: the plane is out of reach, and t is large enough.
        root = (need - gained) / jnp.where(slope > 0.0, slope, 1.0)
        return jnp.where(slope > 0.0, jnp.clip(root, t, _FAR), t)

    t = lax.fori_loop(0, _NEWTON, newton, jnp.zeros_like(need))
    return jnp.minimum(t * rate, room)


def _fill_greedily(weight, room, need):
    """Pixels of most weight first, each to its end, until sum(weight * it) = need."""
    bits = lax.bitcast_convert_type(weight, jnp.int32)
    gain = weight * room

    def gained_above(mark):
        return jnp.sum(jnp.where(bits > mark, gain, 0.0))

    def halve(_, bracket):
        low, high = bracket
        middle = low + (high - low) // 2  # low + high would not fit
        too_much = gained_above(middle) > need
        return jnp.where(too_much, middle, low), jnp.where(too_much, high, middle)

    # Above `high` the gain is within the need; above `low` it is more, or low = -1.
    ends = (jnp.full_like(bits, -1, shape=()), jnp.max(bits))
    _, mark = lax.fori_loop(0, _BITS, halve, ends)
    last = bits == mark
    there = jnp.sum(jnp.where(last, gain, 0.0))
    share = (need - gained_above(mark)) / jnp.where(there > 0.0, there, 1.0)
    share = jnp.where(last, jnp.clip(share, 0.0, 1.0), 0.0)
    return room * jnp.where(bits > mark, 1.0, share)
