"""Auto-PGD (Croce and Hein 2020, arXiv 2003.01690; in l1: 2021, arXiv 2103.01208)."""

import jax

from mspd_jax.attacks._apgd_climb import make_climber
from mspd_jax.attacks._apgd_steps import border_noise
from mspd_jax.attacks._attempts import best_attempt
from mspd_jax.attacks._checks import check_count
from mspd_jax.attacks._losses import cross_entropy, loss_and_success
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
    climb = make_climber(
        image,
        label,
        eps=eps,
        norm=norm,
        steps=steps,
        shrinking=shrinking,
        start=border_noise,
    )

    def restart(number):
        return climb(jax.random.fold_in(key, number), value)

    return best_attempt(restart, image, attempts=restarts, first=first)
