"""One step: the fast gradient sign method (Goodfellow et al. 2015, arXiv 1412.6572),
and the same from a random start (Wong et al. 2020, arXiv 2001.03994)."""

import chex
import jax

from mspd_jax.attacks._ball import ascend, random_start
from mspd_jax.attacks._checks import check_norm
from mspd_jax.attacks._losses import cross_entropy, objective
from mspd_jax.attacks._proposal import Loss, Predict, Proposal


def fgsm(
    key: jax.Array,
    predict: Predict,
    image: jax.Array,
    label: jax.Array,
    *,
    eps: float | jax.Array,
    norm: str = "linf",
    target: jax.Array | int | None = None,
    loss: Loss = cross_entropy,
) -> Proposal:
    """One step of length eps from the image, along the steepest ascent of the loss.

        x' = P(image + eps * direction(grad loss(predict(image), label)))

    On a linear model whose worst point lies in the box this is the exact maximum of
    the cross-entropy of two classes over the ball, in either norm.

    Arguments as in all attacks (`mspd_jax.attacks`); the key is unused. Returns a
    Proposal; costs one gradient and one prediction. No gradient flows through the linf
    sign.
    """
    del key
    options = {"eps": eps, "norm": norm, "target": target, "loss": loss}
    return _one_step(image, predict, image, label, step_size=eps, **options)


def ffgsm(
    key: jax.Array,
    predict: Predict,
    image: jax.Array,
    label: jax.Array,
    *,
    eps: float | jax.Array,
    norm: str = "linf",
    step_size: float | jax.Array | None = None,
    target: jax.Array | int | None = None,
    loss: Loss = cross_entropy,
) -> Proposal:
    """One long step from a random point of the ball, along the steepest ascent.

        x = clip01(image + U(ball)),
        x' = P(x + step_size * direction(grad loss(predict(x), label)))

    step_size=None means 1.25 * eps, which is the paper's 10/255 at 8/255. The paper
    treats linf alone; l2 is the same steps in that norm. All else as in `fgsm`.
    """
    if step_size is None:
        step_size = 1.25 * eps
    x = random_start(key, image, eps=eps, norm=norm)
    options = {"eps": eps, "norm": norm, "target": target, "loss": loss}
    return _one_step(x, predict, image, label, step_size=step_size, **options)


def _one_step(x, predict, image, label, *, eps, norm, step_size, target, loss):
    chex.assert_rank([image, label], [3, 0])
    check_norm(norm, ("linf", "l2"))

    def value(x):
        return objective(predict(x), label, target=target, loss=loss)

    x = ascend(x, jax.grad(value)(x), image, eps=eps, step_size=step_size, norm=norm)
    return Proposal(x, value(x))
