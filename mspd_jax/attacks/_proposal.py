"""What every attack takes and returns."""

from collections.abc import Callable
from typing import NamedTuple

import jax

Predict = Callable[[jax.Array], jax.Array]  # [H, W, C] -> logits [K]
Loss = Callable[[jax.Array, jax.Array], jax.Array]  # (logits [K], label []) -> []


class Proposal(NamedTuple):
    """An attacked image, as the attack claims it; `evaluate.judge` decides.

    Attributes:
      image: [H, W, C], meant to lie in the eps ball around the original and in [0, 1].
      loss: [], what the attack maximized (`objective`), at `image`. It is -inf where
        no finite value was met, and `image` is then the original.
    """

    image: jax.Array
    loss: jax.Array
