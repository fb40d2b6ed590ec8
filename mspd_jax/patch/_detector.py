"""Detection of a patch by windows, and the certificate that it gives.

A detector answers once with nothing hidden, f_0, and once under each window, f_w. It
raises an alert where some f_w differs from f_0. What makes it a certificate:

  (1) f_w(x) does not depend on any pixel of x in the window w;
  (2) every square of the patch's size lies wholly inside some window.

Theorem. If f_w(x) = y for all windows w of an image x, then for every x' that differs
from x in one such square alone, the detector raises an alert at x', or f_0(x') = y.
Proof. By (2) the square lies in some window v, so x and x' differ in pixels of v alone,
and by (1) f_v(x') = f_v(x) = y. Without an alert f_0(x') = f_v(x') = y.

With a confidence T, only windows with a softmax probability of T or more may raise an
alert (PatchGuard++, arXiv 2104.12609): fewer on clean images. The certificate then asks
that all f_w(x) = y with T or more, and the proof is the same: at x' the window v has
the probability that it has at x, so it raises the alert if f_0(x') is not y.

Equal maps give equal logits only up to rounding, which may depend on what else is
computed in the same pass. A certificate therefore asks for a lead of `LEAD` in every
answer, a thousand times what rounding moves in float32, in which all is computed. It is
about one program on one kind of device: on another, rounding may select another neuron.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.tree_util import Partial

from mspd_jax.patch._neurons import WHOLE
from mspd_jax.patch._passes import Answers, answer_of, in_passes

# Of a logit over the next, relative, and of a probability over the threshold.
LEAD = 1e-3


class Masked(NamedTuple):
    """An image as a detector looks at it.

    Attributes:
      whole: logits [K] with nothing hidden.
      hide: numbers of windows [b] -> logits [b, K] with each of them hidden.
      same: int [W], the window whose answer each of them shares: itself, or one that
        shares its own; WHOLE for that of `whole`.
    """

    whole: jax.Array
    hide: Partial
    same: jax.Array


class Verdict(NamedTuple):
    """What a detector says of an image.

    Attributes:
      label: int [], with nothing hidden; -1 where the logits are not numbers.
      alert: bool [], some window contradicts it.
      certified: bool [], no patch of the size can bring about another label without an
        alert, whatever is in it and wherever it is.
      windows: int [W], label under each window.
      computed: bool [W], the windows that were asked; the others share an answer.
    """

    label: jax.Array
    alert: jax.Array
    certified: jax.Array
    windows: jax.Array
    computed: jax.Array


def detect(
    detector: Callable[[jax.Array], Masked],
    image: jax.Array,
    *,
    budget: int,
    confidence: float | jax.Array = 0.0,
) -> Verdict:
    """Asks a detector about an image [H, W, C]; see the theorem above.

    budget: windows per pass, static. confidence: T above, in [0, 1).
    """
    with jax.default_matmul_precision("float32"):
        masked = detector(image)
        return _verdict(masked, budget, confidence)


def contradict(whole: Answers, windows: Answers, confidence) -> jax.Array:
    """Which answers under windows raise an alert, bool [W]."""
    unsure = windows.confidences < confidence  # what is not a number is not unsure
    return (windows.labels != whole.labels) & ~unsure


def _verdict(masked, budget, confidence):
    whole = answer_of(masked.whole)
    asked = masked.same == jnp.arange(masked.same.shape[0])
    answers = in_passes(masked.hide, asked, whole, budget=budget)
    answers = jax.tree.map(
        lambda one, all_: jnp.where(masked.same == WHOLE, one, all_[masked.same]),
        whole,
        answers,
    )
    return Verdict(
        whole.labels,
        jnp.any(contradict(whole, answers, confidence)),
        _certified(whole, answers, confidence),
        answers.labels,
        asked,
    )


def _certified(whole: Answers, answers: Answers, confidence):
    """All windows say what the whole says, by a lead that rounding does not undo."""
    sure = answers.leads > LEAD
    # Not "> 0": a threshold that is not a number must not certify.
    sure &= answers.confidences > jnp.where(confidence <= 0, 0.0, confidence + LEAD)
    agree = (answers.labels == whole.labels) & (answers.labels >= 0)
    return jnp.all(agree & sure) & (whole.leads > LEAD)
