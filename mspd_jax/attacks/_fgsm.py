"""The fast gradient sign method (Goodfellow et al. 2015, arXiv 1412.6572)."""

import chex
import jax

from mspd_jax.attacks._ball import ascend
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

    key: unused, since every attack is called alike. predict: [H, W, C] -> [K].
    image: [H, W, C] in [0, 1]; label: int []; eps: in pixels, traced. target: int [],
    traced: lower the loss of that class instead of raising the label's. loss: static,
    (logits, label) -> []. Returns a Proposal; costs one gradient and one prediction.
    No gradient flows through the linf sign.
    """
    del key
    chex.assert_rank([image, label], [3, 0])
    check_norm(norm, ("linf", "l2"))

    def value(x):
        return objective(predict(x), label, target=target, loss=loss)

    x = ascend(image, jax.grad(value)(image), image, eps=eps, step_size=eps, norm=norm)
    return Proposal(x, value(x))
