"""How Auto-PGD steps, and what it changes at a checkpoint: in linf and l2 (Croce and
Hein 2020, arXiv 2003.01690), and in l1 (Croce and Hein 2021, arXiv 2103.01208)."""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from mspd_jax.attacks import _ball
from mspd_jax.attacks._l1_ball import sparse_direction

_ENOUGH_RISES = 0.75
_SPARSITY = 0.2
# Shares of counts of pixels, as fractions: 2/3 of 9 is 6 in integers, and may be a bit
# more in floats, which rounded up is 7.
_FEWER = (2, 3)  # of what the best point has changed, the next steps change so much
_SHRINK, _SMALLEST = 1.5, 0.1
_SPARSER = (19, 20)


class Best(NamedTuple):
    """The point with most loss so far: x, gradient [H, W, C]; loss []."""

    x: jax.Array
    gradient: jax.Array
    loss: jax.Array


class Rules(NamedTuple):
    """What differs between norms; `control` is what a rule remembers.

    begin: (x, loss, image, *, eps) -> control. check: (control, loss, best, image, row,
    *, eps) -> (control, whether to go back to the best point); row: of the `Plan`.
    move: (control, x, before, gradient, image, *, eps, inertia) -> where to go next,
    before the projection.
    """

    begin: Callable
    check: Callable
    move: Callable


class Steep(NamedTuple):
    """previous: loss of the last point; rises: how often it rose since the checkpoint;
    halved, best_loss: whether the last checkpoint halved, and the most loss then."""

    step_size: jax.Array
    previous: jax.Array
    rises: jax.Array
    halved: jax.Array
    best_loss: jax.Array


class Sparse(NamedTuple):
    """pixels: how many to change in a step; support: how many the best point had
    changed at the last checkpoint."""

    step_size: jax.Array
    pixels: jax.Array
    support: jax.Array


def make_rules(norm: str, *, shrinking: bool) -> Rules:
    """The rules of a norm. shrinking: whether the search began in a wider ball."""
    return _sparse_rules(shrinking) if norm == "l1" else _steep_rules(norm)


def border_noise(key, image, *, eps, norm) -> jax.Array:
    """A start at the border of the ball, clipped to the box; [H, W, C].

    linf:  image + eps u / |u|_inf, u uniform      l2:  image + eps n / |n|_2
    l1:    the projection of image + n             n standard normal
    """
    if norm == "l1":
        x = image + jax.random.normal(key, image.shape)
    elif norm == "linf":
        noise = jax.random.uniform(key, image.shape, minval=-1.0, maxval=1.0)
        x = image + eps * noise / jnp.maximum(jnp.max(jnp.abs(noise)), 1e-12)
    else:
        noise = jax.random.normal(key, image.shape)
        x = image + eps * noise / optax.safe_norm(noise, 1e-12)
    return _ball.project(x, image, eps=eps, norm=norm)


def dark_start(key, image, *, eps, norm) -> jax.Array:
    """An l1 start whose pixels that were brightest are darker; [H, W, C].

        P(d),   d = P(2 image + n) - image,   n standard normal

    The change d to an image is taken for an image: nearly all black.
    """
    noise = jax.random.normal(key, image.shape)
    change = _ball.project(2.0 * image + noise, image, eps=eps, norm=norm) - image
    return _ball.project(change, image, eps=eps, norm=norm)


def _steep_rules(norm):
    def begin(x, loss, image, *, eps):
        del x
        zero = jnp.zeros_like(image, shape=())
        return Steep(2.0 * eps + zero, loss, zero, jnp.array(True), loss)

    def check(control, loss, best, image, row, *, eps):
        del image, eps
        rises = control.rises + jnp.where(loss > control.previous, 1.0, 0.0)
        slow = rises <= _ENOUGH_RISES * row.period
        stuck = ~control.halved & (control.best_loss >= best.loss)
        halve = slow | stuck
        back = row.check & halve
        control = Steep(
            jnp.where(back, 0.5 * control.step_size, control.step_size),
            # Of the point just seen, also where the search goes back to the best one
            # (the authors' code; the paper's text leaves it open).
            loss,
            jnp.where(row.check, 0.0, rises),
            jnp.where(row.check, halve, control.halved),
            jnp.where(row.check, best.loss, control.best_loss),
        )
        return control, back

    def move(control, x, before, gradient, image, *, eps, inertia):
        ahead = _ball.ascend(
            x, gradient, image, eps=eps, step_size=control.step_size, norm=norm
        )
        return x + (1.0 - inertia) * (ahead - x) + inertia * (x - before)

    return Rules(begin, check, move)


def _sparse_rules(shrinking):
    def begin(x, loss, image, *, eps):
        del loss
        zero = jnp.zeros_like(image, shape=())
        if shrinking:
            support = _support(x, image)
            return Sparse(eps + zero, _fewer(support), support)
        pixels = math.ceil(_SPARSITY * image.size)
        return Sparse(eps + zero, jnp.int32(pixels), jnp.int32(image.size))

    def check(control, loss, best, image, row, *, eps):
        del loss
        support = _support(best.x, image)
        share, of = _SPARSER
        sparser = of * support < share * control.support
        smaller = jnp.maximum(control.step_size / _SHRINK, _SMALLEST * eps)
        new = Sparse(jnp.where(sparser, eps, smaller), _fewer(support), support)
        control = jax.tree.map(
            lambda new, old: jnp.where(row.check, new, old), new, control
        )
        return control, row.check & sparser

    def move(control, x, before, gradient, image, *, eps, inertia):
        del before, eps, inertia
        direction = sparse_direction(gradient, control.pixels)
        return x + control.step_size * direction

    return Rules(begin, check, move)


def _support(x, image):
    return jnp.sum(x != image, dtype=jnp.int32)


def _fewer(support):
    share, of = _FEWER
    return (share * support + of - 1) // of
