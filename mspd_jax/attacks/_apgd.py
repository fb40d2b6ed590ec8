"""Auto-PGD (Croce and Hein 2020, arXiv 2003.01690; in l1: 2021, arXiv 2103.01208)."""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
from jax import lax

from mspd_jax.attacks import _ball
from mspd_jax.attacks._apgd_plan import make_plan
from mspd_jax.attacks._apgd_steps import Best, border_noise, dark_start, make_rules
from mspd_jax.attacks._attempts import Candidate, best_attempt
from mspd_jax.attacks._boundary import wrong_classes
from mspd_jax.attacks._checks import check_count, check_norm
from mspd_jax.attacks._losses import (
    cross_entropy,
    dlr_targeted,
    fooled,
    loss_and_success,
)
from mspd_jax.attacks._proposal import Loss, Predict, Proposal


def apgd(
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
    shrinking: bool | None = None,
    target: jax.Array | int | None = None,
    loss: Loss = cross_entropy,
) -> Proposal:
    """Ascent with inertia that sets its own step size and goes back to its best point.

        x_0     = P(image + noise at the border of the ball)
        y       = P(x_t + step_size direction(grad loss(predict(x_t), label)))
        x_{t+1} = P(x_t + 3/4 (y - x_t) + 1/4 (x_t - x_{t-1})),   x_1 = y

    from step_size = 2 eps. At checkpoints (22, 41, 57, 70, 80, 87, 93, 99 of 100) it is
    halved, and the search goes on from the point with most loss, if the loss rose in at
    most 3/4 of the steps since the last checkpoint, or if the last one did not halve
    and nothing better was found since.

    In l1 there is no inertia; a step of length eps changes a share of the pixels, those
    with the largest gradients alike. The share is 2/3 of that which the best point has
    changed; where this fell by 5 % since the last checkpoint, the search goes on from
    the best point with steps of eps, otherwise they shrink by 2/3, to eps / 10 at
    least. `shrinking` (None: in l1) spends 30 % of the steps in the ball of 3 eps, then
    30 % in that of 2 eps; each begins at the projection of the best point before.

    Kept of a run: the last misclassified point, or the point with most loss if there is
    none. Runs are ranked by success first, then by loss.

    Arguments as in all attacks (`mspd_jax.attacks`); shrinking: static, in l1 only.
    Returns a Proposal; costs restarts * (steps + 1) gradients and no other prediction;
    two more gradients per restart if shrinking. Trip counts are static, hence
    reverse-mode differentiable, but nothing flows through the signs of linf and l1.

    Deviation: the loss of the first step is compared with that of the start, as in the
    paper; the authors' code compares it with zero. Shrinking starts at the projection
    of image + noise; the code starts as in `apgd_targeted`, which is weaker here.
    """
    check_count("restarts", restarts)
    value = loss_and_success(predict, label, target=target, loss=loss)

    shrinking = norm == "l1" if shrinking is None else shrinking
    options = {"norm": norm, "steps": steps, "shrinking": shrinking}
    climb = _climber(image, label, eps=eps, start=border_noise, **options)

    def restart(number):
        return climb(jax.random.fold_in(key, number), value)

    return best_attempt(restart, image, attempts=restarts, first=first)


def apgd_targeted(
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
    shrinking: bool | None = None,
) -> Proposal:
    """Auto-PGD towards one wrong class after the other, on the targeted DLR: APGD-T.

    Attempt i, which draws from fold_in(key, i), raises `dlr_targeted` for the wrong
    class of rank i % min(targets, K - 1) by the clean logits, highest first. Any wrong
    class is a success. The attempts are ranked as the restarts of `apgd` are; all else
    is as there, but for the start if shrinking: that of the authors' code, which takes
    image + noise for a change and a change for an image, so that bright pixels start
    darker (`dark_start`). On an adversarially trained ResNet-20 this fools 1.5 % more
    of 480 runs than noise does, and on the cross-entropy 2 % less of 576.

    targets: static, how many classes; restarts: static, how many rounds; attempts:
    static, how many to run now, None for all of restarts * min(targets, K - 1); first:
    the number of the first, traced. Costs one prediction and, for each attempt,
    steps + 1 gradients (steps + 3 if shrinking).
    """
    check_count("targets", targets)
    check_count("restarts", restarts)
    shrinking = norm == "l1" if shrinking is None else shrinking
    start = dark_start if shrinking else border_noise
    options = {"norm": norm, "steps": steps, "shrinking": shrinking}
    climb = _climber(image, label, eps=eps, start=start, **options)
    clean = predict(image)
    targets = min(targets, clean.shape[0] - 1)
    if attempts is None:
        attempts = restarts * targets
    ranked = wrong_classes(clean, label, count=targets)

    def attempt(number):
        here = jnp.arange(targets) == number % targets
        target = jnp.sum(jnp.where(here, ranked, 0))

        def value(x):
            logits = predict(x)
            return dlr_targeted(logits, label, target), fooled(logits, label)

        return climb(jax.random.fold_in(key, number), value)

    return best_attempt(attempt, image, attempts=attempts, first=first)


class _State(NamedTuple):
    """x, before: this point and the last; best: of this stage; control: of the rules;
    kept: the last misclassified point of this stage as (x, loss, whether any)."""

    x: jax.Array
    before: jax.Array
    best: Best
    kept: tuple
    control: tuple


def _climber(image, label, *, eps, norm, steps, shrinking, start):
    """One run: (key, value) -> Candidate, with value: x -> (loss, success)."""
    chex.assert_rank([image, label], [3, 0])
    check_norm(norm)
    check_count("steps", steps)
    if shrinking and norm != "l1":
        raise ValueError(f"shrinking is for norm l1 only; got norm {norm!r}")
    plan = make_plan(steps, norm=norm, shrinking=shrinking)
    rules = make_rules(norm, shrinking=shrinking)

    def step(state, value, row):
        # Evaluate, judge, move: so one gradient stands in the program, that of the
        # start included. The last move is for nothing.
        radius = row.scale * eps
        (loss, success), gradient = jax.value_and_grad(value, has_aux=True)(state.x)
        success &= ~jnp.isnan(loss)
        better = row.begin | (loss > state.best.loss)
        floor = jnp.where(jnp.isnan(loss), -jnp.inf, loss)
        best = _pick(better, Best(state.x, gradient, floor), state.best)
        kept = _pick(row.begin | success, (state.x, loss, success), state.kept)

        fresh = rules.begin(state.x, loss, image, eps=radius)
        control, back = rules.check(
            _pick(row.begin, fresh, state.control), loss, best, image, row, eps=radius
        )
        here = Best(state.x, gradient, loss)
        x, gradient, _ = _pick(back, best, here)
        ahead = rules.move(
            control, x, state.before, gradient, image, eps=radius, inertia=row.inertia
        )
        ahead = jnp.where(row.leave, best.x, ahead)
        ahead = _ball.project(ahead, image, eps=row.next_scale * eps, norm=norm)
        return _State(ahead, x, best, kept, control)

    def climb(key, value):
        x = start(key, image, eps=float(plan.scale[0]) * eps, norm=norm)
        zero = jnp.zeros_like(image, shape=())
        state = _State(
            x,
            x,
            Best(x, jnp.zeros_like(x), zero),
            (x, zero, jnp.array(False)),
            rules.begin(x, zero, image, eps=eps),
        )
        state, _ = lax.scan(lambda s, row: (step(s, value, row), None), state, plan)
        wrong, wrong_loss, success = state.kept
        x = jnp.where(success, wrong, state.best.x)
        loss = jnp.where(success, wrong_loss, state.best.loss)
        return Candidate(x, loss, success)

    return climb


def _pick(flag, new, old):
    return jax.tree.map(lambda new, old: jnp.where(flag, new, old), new, old)
