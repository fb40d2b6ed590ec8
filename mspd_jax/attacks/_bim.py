"""The basic iterative method (Kurakin et al. 2017, arXiv 1607.02533)."""

import jax

from mspd_jax.attacks._losses import cross_entropy
from mspd_jax.attacks._pgd import pgd
from mspd_jax.attacks._proposal import Loss, Predict, Proposal


def bim(
    key: jax.Array,
    predict: Predict,
    image: jax.Array,
    label: jax.Array,
    *,
    eps: float | jax.Array,
    norm: str = "linf",
    step_size: float | jax.Array | None = None,
    steps: int = 10,
    target: jax.Array | int | None = None,
    loss: Loss = cross_entropy,
) -> Proposal:
    """Repeated ascent steps from the image itself: `pgd` without its random start.

        x_0 = image,  x_{t+1} = P(x_t + step_size * direction(grad loss(predict(x_t))))

    key: unused, since every attack is called alike. Everything else as in `pgd`;
    step_size=None means 2.5 * eps / steps, which is 2/255 at 8/255 and 10 steps.
    """
    return pgd(
        key,
        predict,
        image,
        label,
        eps=eps,
        norm=norm,
        step_size=step_size,
        steps=steps,
        random_start=False,
        target=target,
        loss=loss,
    )
