"""Projected gradient descent (Madry et al. 2018, arXiv 1706.06083), also without its
random start (BIM); in l1 it is SLIDE (Tramer and Boneh 2019, arXiv 1904.13000)."""

from typing import Any

import chex
import jax

from mspd_jax.attacks import _ball
from mspd_jax.attacks._ascent import ascent
from mspd_jax.attacks._attempts import Candidate, best_attempt
from mspd_jax.attacks._checks import check_count, check_norm
from mspd_jax.attacks._losses import cross_entropy, loss_and_success
from mspd_jax.attacks._proposal import Loss, Predict, Proposal


def pgd(
    key: jax.Array,
    predict: Predict,
    image: jax.Array,
    label: jax.Array,
    *,
    eps: float | jax.Array,
    norm: str = "linf",
    step_size: float | jax.Array | None = None,
    steps: int = 10,
    restarts: int = 1,
    first: int | jax.Array = 0,
    random_start: bool = True,
    target: jax.Array | int | None = None,
    loss: Loss = cross_entropy,
) -> Proposal:
    """Repeated ascent steps from random points of the ball; the best end is kept.

        x_0 = clip01(image + U(ball)),
        x_{t+1} = P(x_t + step_size * direction(grad loss(predict(x_t), label)))

    The end points of the restarts are ranked by success first, then by loss: a
    misclassified point is never given up for one with more loss that is not. The
    direction is the steepest in linf and l2; in l1 it is 1 % of the entries, those with
    the largest gradients that the box leaves free (`ascend`), and P is exact.

    Arguments as in all attacks (`mspd_jax.attacks`); random_start: static.
    step_size=None means 2.5 * eps / steps (Madry's rule: the ball can be crossed),
    which at 8/255 and the default 10 steps is the usual 2/255.

    Returns a Proposal; costs restarts * (steps gradients and one prediction), one at a
    time, so memory does not grow with either. Trip counts are static, hence
    reverse-mode differentiable, but nothing flows through the signs of linf and l1.
    """
    chex.assert_rank([image, label], [3, 0])
    check_norm(norm)
    check_count("steps", steps)
    check_count("restarts", restarts)
    if restarts > 1 and not random_start:
        raise ValueError(f"restarts must be 1 without a random start; got {restarts}")
    if step_size is None:
        step_size = 2.5 * eps / steps
    walk = {"eps": eps, "norm": norm, "steps": steps, "step_size": step_size}
    value = loss_and_success(predict, label, target=target, loss=loss)

    def slope(x):
        return jax.grad(value, has_aux=True)(x)[0]

    def restart(number):
        x = image
        if random_start:
            start_key = jax.random.fold_in(key, number)
            x = _ball.random_start(start_key, image, eps=eps, norm=norm)
        x = ascent(slope, x, image, always_loop=True, **walk)
        return Candidate(x, *value(x))

    return best_attempt(restart, image, attempts=restarts, first=first)


def bim(
    key: jax.Array,
    predict: Predict,
    image: jax.Array,
    label: jax.Array,
    *,
    eps: float | jax.Array,
    **options: Any,
) -> Proposal:
    """The basic iterative method (Kurakin et al. 2017, arXiv 1607.02533).

        x_0 = image,  x_{t+1} = P(x_t + step_size * direction(grad loss(predict(x_t))))

    `pgd` without its random start, hence without restarts. key: unused, since every
    attack is called alike. options: others of `pgd`;
    step_size=None means 2.5 * eps / steps, which is 2/255 at 8/255 and 10 steps.
    """
    return pgd(key, predict, image, label, eps=eps, random_start=False, **options)
