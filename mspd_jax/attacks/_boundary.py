"""Decision boundaries, linearized: what FAB and DeepFool walk towards.

The boundary between class a ("above") and class b ("below") is where z_a = z_b. Near a
point x it is the plane {v : value + <normal, v - x> = 0} with

    value = z_a(x) - z_b(x),    normal = grad_x (z_a - z_b).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from mspd_jax.attacks._checks import check_norm

_FAR = 1e30  # float32 can still multiply it by a pixel and add up an image of them


class Plane(NamedTuple):
    """{v : value + <normal, v - x> = 0} around a point x that the holder knows.

    value: [], negative on the side of the class to leave. normal: [H, W, C], largest
    entry 1 in size; zero where the model is flat.
    """

    value: jax.Array
    normal: jax.Array


def wrong_classes(logits, label, *, count) -> jax.Array:
    """The `count` classes with the highest logits, the label left out; int32 [count].

    Highest first; logits: [K], count: static, at most K - 1.
    """
    right = jnp.arange(logits.shape[0]) == label
    return lax.top_k(jnp.where(right, -jnp.inf, logits), count)[1]


def nearest_plane(predict, x, sides, *, norm) -> tuple[Plane, jax.Array]:
    """Of several linearized boundaries at `x` the one nearest to it in `norm`.

        argmin_j |value_j| / |normal_j|_q,    1 / p + 1 / q = 1 for the norm's p

    sides: logits [K] -> (above, below), int32 [n] each: boundary j is that between the
    classes above_j and below_j. Returns the plane and the logits at `x`; costs one
    prediction and n times its backward pass.

    A plane is scaled to a normal whose largest entry is 1: its squares are then in the
    range of float32 at any scale of the logits. NaN entries of a gradient count as
    zero; a flat boundary, or a NaN value, is further than any other.
    """
    planes, far, logits = _boundaries(predict, x, sides, norm=norm)
    far = jnp.where(jnp.isnan(far), jnp.inf, jnp.abs(far))
    # A masked sum, not a lookup, which under `vmap` is a slow gather.
    here = jnp.arange(far.shape[0]) == jnp.argmin(far)
    normal = jnp.sum(jnp.where(here[:, None, None, None], planes.normal, 0.0), 0)
    return Plane(jnp.sum(jnp.where(here, planes.value, 0.0)), normal), logits


def nearest_classes(predict, image, label, *, norm, candidates, count) -> jax.Array:
    """The `count` wrong classes whose linearized boundaries are nearest; int32 [count].

        argmin_j (z_label - z_j) / |grad (z_label - z_j)|_q,   1 / p + 1 / q = 1

    Nearest first, of the `candidates` wrong classes with the highest logits; a flat
    boundary is the furthest. Costs one prediction and `candidates` backward passes.
    """

    def sides(logits):
        ranked = wrong_classes(logits, label, count=candidates)
        return ranked, jnp.full_like(ranked, label)

    _, far, logits = _boundaries(predict, image, sides, norm=norm)
    above, _ = sides(logits)
    _, order = lax.top_k(jnp.where(jnp.isnan(far), -jnp.inf, far), count)
    return above[order]


def _boundaries(predict, x, sides, *, norm):
    """All the planes, their signed distances (NaN: flat, or no number), the logits."""
    check_norm(norm)
    logits, pull_back = jax.vjp(predict, x)
    above, below = sides(logits)
    classes = jnp.arange(logits.shape[0])[None, :]
    chosen = (classes == above[:, None]).astype(logits.dtype)
    chosen = chosen - (classes == below[:, None]).astype(logits.dtype)
    (normals,) = jax.vmap(pull_back)(chosen)
    # Infinities become a number whose reciprocal float32 can still hold.
    normals = jnp.nan_to_num(normals, posinf=1e37, neginf=-1e37)
    values = logits[above] - logits[below]

    pixels = (1, 2, 3)
    largest = jnp.max(jnp.abs(normals), pixels, keepdims=True)
    normals = normals / jnp.where(largest > 0.0, largest, 1.0)
    largest = largest[:, 0, 0, 0]
    usable = (largest > 0.0) & ~jnp.isnan(values)
    values = jnp.where(usable, values / jnp.where(usable, largest, 1.0), 0.0)
    values = jnp.clip(values, -_FAR, _FAR)

    size = jnp.abs(normals)
    length = {
        "linf": jnp.sum(size, pixels),
        "l2": jnp.sqrt(jnp.sum(jnp.square(size), pixels)),
        "l1": jnp.max(size, pixels),
    }[norm]
    far = jnp.where(usable, values / jnp.maximum(length, 1.0), jnp.nan)
    return Plane(values, normals), far, logits
