"""One image under a list of attacks: the clean prediction and a verdict on each."""

import functools
import zlib
from collections.abc import Callable
from typing import NamedTuple

import jax

from mspd_jax.evaluate._judge import Verdict, decision, judge


class Evaluated(NamedTuple):
    """What a model makes of an image, and what attacks make of the model.

    prediction: int32 [], the class of the image as given.
    verdicts: by name of attack, what the judge says of its proposal.
    """

    prediction: jax.Array
    verdicts: dict[str, Verdict]


def evaluate_image(
    key: jax.Array,
    predict: Callable,
    image: jax.Array,
    label: jax.Array,
    *,
    attacks: dict[str, Callable],
    eps: float | jax.Array,
    norm: str,
) -> Evaluated:
    """Attacks one image with each of `attacks` in turn, all from the image as given.

    An attack's randomness depends on its name, not on its place in the list. An image
    is robust to an attack if `prediction == label` and the attack found nothing.
    """
    verdicts = {}
    for name, attack in attacks.items():
        own_key = jax.random.fold_in(key, zlib.crc32(name.encode()))
        proposal = attack(own_key, predict, image, label)
        verdicts[name] = judge(
            predict, image, proposal.image, label, eps=eps, norm=norm
        )
    return Evaluated(decision(predict(image)), verdicts)


@functools.cache
def evaluation(norm: str) -> Callable:
    """`evaluate_image` for a norm: one object, so that it compiles once."""
    return functools.partial(evaluate_image, norm=norm)
