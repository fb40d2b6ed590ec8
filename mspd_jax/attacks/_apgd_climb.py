"""One run of Auto-PGD: a start, then steps, some of which are checkpoints."""

from collections.abc import Callable
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
from jax import lax

from mspd_jax.attacks import _ball
from mspd_jax.attacks._apgd_plan import make_plan
from mspd_jax.attacks._apgd_steps import Best, make_rules
from mspd_jax.attacks._attempts import Candidate
from mspd_jax.attacks._checks import check_count, check_norm


def make_climber(
    image: jax.Array,
    label: jax.Array,
    *,
    eps: float | jax.Array,
    norm: str,
    steps: int,
    shrinking: bool,
    start: Callable,
) -> Callable:
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


class _State(NamedTuple):
    """x, before: this point and the last; best: of this stage; control: of the rules;
    kept: the last misclassified point of this stage as (x, loss, whether any)."""

    x: jax.Array
    before: jax.Array
    best: Best
    kept: tuple
    control: tuple


def _pick(flag, new, old):
    return jax.tree.map(lambda new, old: jnp.where(flag, new, old), new, old)
