"""Fast adaptive boundary attack, FAB (Croce and Hein 2020, arXiv 1907.02044)."""

import chex
import jax
import jax.numpy as jnp
from jax import lax

from mspd_jax.attacks._attempts import best_attempt, no_candidate
from mspd_jax.attacks._ball import project, random_start
from mspd_jax.attacks._boundary import nearest_plane, wrong_classes
from mspd_jax.attacks._checks import check_count, check_norm
from mspd_jax.attacks._fab_projection import step_to_plane
from mspd_jax.attacks._losses import margin, objective
from mspd_jax.attacks._nearest import distance, keep_nearest
from mspd_jax.attacks._proposal import Predict, Proposal

# Where no eps limits the random starts: the reference's own radii.
_START_RADIUS = {"linf": 0.3, "l2": 1.0, "l1": 5.0}
_SEARCH = 3
_CAUTION = 0.9
_CLEAR = 1e-4


def fab(
    key: jax.Array,
    predict: Predict,
    image: jax.Array,
    label: jax.Array,
    *,
    eps: float | jax.Array,
    norm: str = "linf",
    steps: int = 100,
    restarts: int = 1,
    first: int | jax.Array = 0,
    target: jax.Array | int | None = None,
    alpha_max: float | jax.Array = 0.1,
    eta: float | jax.Array = 1.05,
    beta: float | jax.Array = 0.9,
) -> Proposal:
    """Walks along the nearest decision boundary towards the point nearest to `image`.

        plane   = the nearest of the K - 1 boundaries z_k = z_label, linearized at x
        d, d_0  = smallest changes that bring x, image onto it inside [0, 1]
        a       = min(|d| / (|d| + |d_0|), alpha_max)
        x       = clip01((1 - a) (x + eta d) + a (image + eta d_0))
        if x is adversarial: keep it if none was nearer, x = image + beta (x - image)

    It seeks the smallest change of the class, whatever eps is; eps = inf returns it.
    At the end, three steps of a secant search between the nearest adversarial point and
    `image` bring it closer to the boundary (the paper's final search, which the
    authors' later code leaves out). Which boundary is nearest is decided without the
    box, as there.

    Arguments as in all attacks (`mspd_jax.attacks`); restart 0 starts at `image`, the
    others at random in half the eps ball. eps may be inf. With a target the one
    boundary is that with the best other class, and a = 0 until it is reached.
    alpha_max, eta, beta: traced; the bias to `image`, overshoot, and backward step.

    Returns a Proposal: the nearest adversarial point, brought into the eps ball, and
    minus its distance before that. If there is none, the point with most margin, and
    that margin. `image` and 0 where it is misclassified to begin with. Costs, for each
    restart, steps + 1 gradients of K - 1 logits and steps + 5 predictions.
    """
    check_count("restarts", restarts)

    def sides(number, clean, logits):
        del number, clean
        if target is None:
            right = jnp.full((logits.shape[0] - 1,), label, jnp.int32)
            return (right + 1 + jnp.arange(right.size)) % logits.shape[0], right
        above = jnp.asarray(target, jnp.int32)[None]
        return above, wrong_classes(logits, target, count=1)

    walk = {"steps": steps, "alpha_max": alpha_max, "eta": eta, "beta": beta}
    goal = {"eps": eps, "norm": norm, "target": target}
    attempt = _attempt(key, predict, image, label, sides, 1, **goal, **walk)
    best = best_attempt(attempt, image, attempts=restarts, first=first)
    return best._replace(image=project(best.image, image, eps=eps, norm=norm))


def fab_targeted(
    key: jax.Array,
    predict: Predict,
    image: jax.Array,
    label: jax.Array,
    *,
    eps: float | jax.Array,
    norm: str = "linf",
    steps: int = 100,
    targets: int = 9,
    restarts: int = 1,
    attempts: int | None = None,
    first: int | jax.Array = 0,
    alpha_max: float | jax.Array = 0.1,
    eta: float | jax.Array = 1.05,
    beta: float | jax.Array = 0.9,
) -> Proposal:
    """FAB that walks along one boundary at a time, one gradient a step: FAB-T.

    Attempt i takes the boundary between the label and the wrong class of rank
    i % min(targets, K - 1) by the clean logits, highest first; from `image` in the
    first round of targets, from a random point after. Any wrong class is a success.
    All else is as in `fab` (and in Croce and Hein 2020, arXiv 2003.01690).

    targets: static, how many classes; restarts: static, how many rounds; attempts:
    static, how many to run now, None for all of restarts * min(targets, K - 1); first:
    the number of the first, traced. Costs, for each attempt, steps + 1 gradients and
    steps + 5 predictions.
    """
    check_count("targets", targets)
    check_count("restarts", restarts)
    classes = jax.eval_shape(predict, image).shape[0]
    targets = min(targets, classes - 1)
    if attempts is None:
        attempts = restarts * targets

    def sides(number, clean, logits):
        del logits
        ranked = wrong_classes(clean, label, count=targets)
        here = jnp.arange(targets) == number % targets
        rival = jnp.sum(jnp.where(here, ranked, 0))
        return rival[None], jnp.asarray(label, jnp.int32)[None]

    walk = {"steps": steps, "alpha_max": alpha_max, "eta": eta, "beta": beta}
    goal = {"eps": eps, "norm": norm, "target": None}
    attempt = _attempt(key, predict, image, label, sides, targets, **goal, **walk)
    best = best_attempt(attempt, image, attempts=attempts, first=first)
    return best._replace(image=project(best.image, image, eps=eps, norm=norm))


def _attempt(
    key,
    predict,
    image,
    label,
    sides,
    round_size,
    *,
    eps,
    norm,
    target,
    steps,
    alpha_max,
    eta,
    beta,
):
    """Attempt by number -> `Candidate`; after the first round they start at random.

    sides: (number, clean logits, logits) -> the boundaries of `nearest_plane`.
    """
    chex.assert_rank([image, label], [3, 0])
    check_norm(norm)
    check_count("steps", steps)

    def walk(x, plane, reached):
        # The same plane around the image; one batched projection for both.
        back = plane.value + jnp.sum(plane.normal * (image - x))
        near, far = jax.vmap(
            lambda point, value: step_to_plane(
                point, plane._replace(value=value), norm=norm
            )
        )(jnp.stack([x, image]), jnp.stack([plane.value, back]))
        length, length_0 = (
            jnp.maximum(distance(d, jnp.zeros_like(d), norm=norm), 1e-8)
            for d in (near, far)
        )
        alpha = jnp.minimum(length / (length + length_0), alpha_max)
        if target is not None:
            # The target's region lies behind several planes: pulled back to the image
            # before it is there, the walk circles in front of them.
            alpha = jnp.where(reached, alpha, 0.0)
        x = (1.0 - alpha) * (x + eta * near) + alpha * (image + eta * far)
        return jnp.clip(x, 0.0, 1.0)

    def attempt(number):
        radius = 0.5 * jnp.where(jnp.isinf(eps), _START_RADIUS[norm], eps)
        start_key = jax.random.fold_in(key, number)
        start = random_start(start_key, image, eps=radius, norm=norm)
        start = jnp.where(number >= round_size, start, image)

        def step(count, state):
            # Judge, then walk: one prediction and one gradient in the program, and
            # the first round gives the clean logits. The last walk is for nothing.
            x, clean, best = state
            logits = predict(x)
            clean = jnp.where(count == 0, logits, clean)
            best, success = keep_nearest(
                best, x, image, logits, label, target=target, norm=norm
            )
            x = jnp.where(success, image + beta * (x - image), x)
            x = jnp.where(count == 0, start, x)
            plane, _ = nearest_plane(
                predict, x, lambda logits: sides(number, clean, logits), norm=norm
            )
            return walk(x, plane, best.success), clean, best

        logits = jax.eval_shape(predict, image)
        clean = jnp.zeros(logits.shape, logits.dtype)
        state = (image, clean, no_candidate(image))
        _, clean, best = lax.fori_loop(0, steps + 1, step, state)
        inner = objective(clean, label, target=target, loss=margin)
        return _final_search(
            predict, best, image, label, inner, norm=norm, target=target
        )

    return attempt


def _final_search(predict, best, image, label, inner, *, norm, target):
    """Moves the kept point along the line to `image`, to where the margin crosses zero.

    The secant through the margins of the last adversarial and the last harmless point
    of the line gives the next one; the first round only takes the kept point's margin.
    It stops a tenth short: where the margin is convex, the secant's zero is harmless,
    in every round, and nothing would be won. Points whose margin is less than 1e-4 of
    the clean one are left alone: the next program may round them to the other side.
    inner: the margin at `image`.
    """
    found = best.image
    clear = _CLEAR * jnp.abs(inner)

    def search(_, state):
        best, out, out_margin, low, low_margin = state
        rise = out_margin - low_margin
        part = out_margin / jnp.where(rise > 0.0, rise, 1.0)
        share = out - _CAUTION * jnp.clip(part, 0.0, 1.0) * (out - low)
        x = image + share * (found - image)
        logits = predict(x)
        best, success = keep_nearest(
            best, x, image, logits, label, target=target, norm=norm, least=clear
        )
        gap = objective(logits, label, target=target, loss=margin)
        return (
            best,
            jnp.where(success, share, out),
            jnp.where(success, gap, out_margin),
            jnp.where(success, low, share),
            jnp.where(success, low_margin, gap),
        )

    one, zero = jnp.ones_like(inner), jnp.zeros_like(inner)
    state = (best, one, zero, zero, inner)
    return lax.fori_loop(0, _SEARCH + 1, search, state)[0]
