"""How many views of a picture an attacker changes for a model."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mspd_jax import evaluate, preempt

# All of the picture, and a box at each corner: what targets may see of it.
_BOXES = np.array(
    [
        [0, 0, 1, 1],
        [0, 0, 0.8, 0.8],
        [0, 0.2, 0.8, 1],
        [0.2, 0, 1, 0.8],
        [0.2, 0.2, 1, 1],
    ]
)
VIEWS = len(_BOXES)
# The attacker is the same for all strengths of protection, so that these compare.
ATTACK, ATTACK_EPS = "pgd-20", "8/255"


class Held(NamedTuple):
    """In how many of the `VIEWS` a model sees the class that it should see.

    clean: as they are. robust: after an attack on what the model sees.
    """

    clean: int
    robust: int


def held(
    key: jax.Array,
    predict: Callable,
    attack: Callable,
    image: np.ndarray,
    label: int,
    *,
    eps: float,
    size: tuple[int, int, int],
) -> Held:
    """What a model still sees in a picture [H, W, C].

    The attacker changes the pixels of the views, each by eps. That is more than any
    change of the picture by eps can do to them: what is held here is held there.
    """
    views = preempt.box_views(image.shape, size[:2], _BOXES, np.ones(VIEWS))
    seen = np.broadcast_to(preempt.see(image, views), (VIEWS, *size))
    right, robust = _judged(
        jax.random.split(key, VIEWS), predict, attack, seen, label, eps
    )
    return Held(int(np.sum(right)), int(np.sum(right & robust)))


@jax.jit
def _judged(keys, predict, attack, views, label, eps):
    def one(key, view):
        proposal = attack(key, predict, view, label)
        verdict = evaluate.judge(
            predict, view, proposal.image, label, eps=eps, norm="linf"
        )
        return jnp.argmax(predict(view)) == label, ~verdict.found

    return jax.vmap(one)(keys, views)
