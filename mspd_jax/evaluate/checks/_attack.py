"""Whether attacks on a model behave as attacks do: a short one, varied."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from mspd_jax.attacks import (
    ascend,
    check_norm,
    cross_entropy,
    fooled,
    margin,
    project,
    random_start,
    resolve_attack,
)
from mspd_jax.evaluate.checks._check import Check, beyond_noise, noise_allowed
from mspd_jax.models import as_pytree

STEPS = 20
QUERIES = 300
HUGE_SHARE = 0.1
# Just off the image, where pixels of exactly 0 sit on kinks of ReLU networks. Noise of
# the whole ball would break images by itself, and hide that the gradient fails.
_NEAR = {"radius": 0.01, "surprise": 0.0}
# Without these, random search beat the gradient on 8 of 320 digits; with them, on 1.
_RESTARTS = (
    {"radius": 0.01, "surprise": 1.0},
    {"radius": 1.0, "surprise": 0.0},
    {"radius": 1.0, "surprise": 1.0},
)
_ADAPT = "use bpda, eot, another loss, more steps and scores-only attacks"


def check_attack(
    key: jax.Array,
    predict: Callable,
    images: np.ndarray,
    labels: np.ndarray,
    *,
    eps: float,
    norm: str,
    steps: int = STEPS,
    queries: int = QUERIES,
) -> list[Check]:
    """Four checks of gradient attacks on a model, on a few images with their labels.

    monotone in eps   accuracy falls over eps * (0, 1/2, 1, 2)
    huge eps          almost nothing survives where every image can be made gray
    doubled steps     find no more
    black box         `square` breaks no image that the gradient does not

    The attack is projected gradient ascent on the margin, from next to the image, 2.5 *
    eps / steps at a time; an image has fallen if any iterate is misclassified. Before
    the black box is compared, three more runs start elsewhere in the ball or raise the
    cross-entropy. One program serves all of them. key: of the starts. images:
    [N, H, W, C] in [0, 1], N about 32; labels: int [N]. Costs 9 * steps gradients of N
    images and `queries` predictions. Raises ValueError if the norm is not known.
    """
    check_norm(norm)
    predict = as_pytree(predict)
    images, labels = np.asarray(images, np.float32), np.asarray(labels, np.int32)
    probe_key, search_key = jax.random.split(key)

    def fallen(eps, steps, **start):
        start = jax.tree.map(np.float32, _NEAR | start)
        eps, steps = np.float32(eps), np.int32(steps)
        found = _probed(probe_key, predict, images, labels, eps, steps, start, norm)
        return np.asarray(jax.device_get(found))

    # Every image of so many numbers reaches the gray one.
    size = images[0].size
    huge = {"linf": 0.5, "l2": 0.5 * size**0.5, "l1": 0.5 * size}[norm]
    radii = [0.0, eps / 2, eps, 2 * eps]
    found = [fallen(radius, steps if radius else 0) for radius in radii]
    doubled = fallen(eps, 2 * steps)
    # All that the gradient can do, before it is said to be beaten.
    more = [fallen(eps, steps, **start) for start in _RESTARTS]
    white = np.any([*found[:3], doubled, *more], axis=0)
    return [
        monotone(
            list(zip(radii, [1 - np.mean(f) for f in found], strict=True)), len(labels)
        ),
        _huge(fallen(huge, steps), norm),
        _doubled(found[2], doubled, steps),
        _black_box(search_key, predict, images, labels, white, eps, norm, queries),
    ]


def monotone(points: list[tuple[float, float]], count: int) -> Check:
    """Whether accuracy never rises with eps, by more than the noise of `count` images.

    points: (eps, accuracy) of one target, in any order.
    """
    points = sorted(points)
    lowest = np.minimum.accumulate([accuracy for _, accuracy in points])
    rises = [a - low for (_, a), low in zip(points[1:], lowest, strict=False)]
    worst = max(rises, default=0.0)
    shown = ", ".join(f"{accuracy:.1%} at {eps:.4g}" for eps, accuracy in points)
    return Check(
        "monotone in eps",
        None if len(points) < 2 else not beyond_noise(worst * count, count),
        shown or "nothing: no points",
        f"no rise by more than {noise_allowed(count)} as eps grows",
        "a larger ball holds the smaller one: the attack is not converged or its "
        f"gradient is masked; {_ADAPT}",
    )


def _huge(found, norm):
    survived = 1.0 - float(np.mean(found))
    return Check(
        "huge eps",
        survived <= HUGE_SHARE,
        f"{survived:.1%} of {len(found)} images survive where all can be made gray "
        f"({norm})",
        f"at most {HUGE_SHARE:.0%}",
        f"no model is robust there, so the attack fails: {_ADAPT}",
    )


def _doubled(once, twice, steps):
    count = len(once)
    more = int(np.count_nonzero(twice)) - int(np.count_nonzero(once))
    return Check(
        "doubled steps",
        not beyond_noise(more, count),
        f"{int(np.count_nonzero(twice))} of {count} images fall to {2 * steps} steps, "
        f"{int(np.count_nonzero(once))} to {steps}",
        f"no more than {noise_allowed(count)} more",
        "a short attack has not converged: use apgd-ce, more steps and restarts",
    )


def _black_box(key, predict, images, labels, white, eps, norm, queries):
    count = len(labels)
    attack = resolve_attack("square", eps=float(eps), norm=norm, queries=queries)
    found = _searched(key, attack, predict, images, labels, np.float32(eps), norm)
    found = np.asarray(jax.device_get(found))
    only = int(np.count_nonzero(found & ~white))
    return Check(
        "black box",
        not beyond_noise(only, count),
        f"square with {queries} queries breaks {only} of {count} images that the "
        "gradient does not",
        f"no more than {noise_allowed(count)}",
        f"the gradient is masked: {_ADAPT}",
    )


@functools.partial(jax.jit, static_argnames="norm")
def _probed(key, predict, images, labels, eps, steps, start, norm):
    def one(number, image, label):
        own = jax.random.fold_in(key, number)
        return _probe(
            own, predict, image, label, eps=eps, steps=steps, start=start, norm=norm
        )

    return jax.vmap(one)(jnp.arange(len(labels)), images, labels)


def _probe(key, predict, image, label, *, eps, steps, start, norm):
    """Whether any of `steps` + 1 iterates is misclassified; no gradient flows.

    steps, start: traced, so that one program serves all. start: {"radius": of the noise
    it starts with, in eps; "surprise": 1 for the cross-entropy, 0 for the margin}. In
    l1 the steps are Euclidean and the projection makes them sparse.
    """
    along = "l2" if norm == "l1" else norm
    step_size = 2.5 * eps / jnp.maximum(steps, 1).astype(jnp.float32)

    def value(x):
        logits = predict(x)
        surprise = cross_entropy(logits, label)
        loss = jnp.where(start["surprise"] > 0, surprise, margin(logits, label))
        return loss, fooled(logits, label)

    def step(_, state):
        x, found = state
        gradient, fell = jax.grad(value, has_aux=True)(x)
        x = ascend(
            x, gradient, image, eps=eps, step_size=step_size, norm=norm, along=along
        )
        return x, found | fell

    x = random_start(key, image, eps=start["radius"] * eps, norm=norm)
    # One step more than is taken: the last turn only looks at the end.
    _, found = lax.fori_loop(0, steps + 1, step, (x, jnp.array(False)))
    return found


@functools.partial(jax.jit, static_argnames="norm")
def _searched(key, attack, predict, images, labels, eps, norm):
    def one(number, image, label):
        own = jax.random.fold_in(key, number)
        x = attack(own, predict, image, label).image
        x = project(jnp.nan_to_num(x), image, eps=eps, norm=norm)
        return fooled(predict(x), label)

    return jax.vmap(one)(jnp.arange(len(labels)), images, labels)
