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

No claim rests on bits: equal maps give equal logits only up to rounding, which may
depend on what else is computed in the same pass, on the program and on the processor.
With rounding, the theorem holds for every network whose computed logits, in units of
the largest (of 1 at least), differ from the exact ones by less than LEAD / 4:

  A certificate asks for a lead of more than LEAD in every answer. At x' each logit is
  within LEAD / 2 of that at x, so the answer is the same. The logarithm of a softmax
  probability moves by no more than twice what logits do, so a certificate with a
  confidence asks for LEAD in that, in the same units.

LEAD / 4 is some hundred times what rounding in float32 comes to in residual networks
(1e-6 of the largest logit; benchmarks/rounding.py), and `detect` asks for float32 in
every product, also where accelerators would round more by default (TF32). Where f_w
selects, a detector states what else rounding could select, and all of that must agree
(`Masked`, `doubts`).
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
      others: numbers [b] -> logits [b, K], answers that rounding may give instead of
        those of windows; None if there are none.
      doubted: bool [n], those of the others that must agree before it is certified.
      lost: bool [], rounding may give more than these: nothing is certified.
    """

    whole: jax.Array
    hide: Partial
    same: jax.Array
    others: Partial | None = None
    doubted: jax.Array | None = None
    lost: jax.Array | bool = False


class Detection(NamedTuple):
    """What a detector says of an image.

    Attributes:
      label: int [], with nothing hidden; -1 where the logits are not numbers.
      alert: bool [], some window contradicts it.
      certified: bool [], no patch of the size can bring about another label without an
        alert, whatever is in it and wherever it is.
      windows: int [W], label under each window.
      computed: bool [W], the windows that were asked; the others share an answer.
      predictions: int [], all that were asked for: without a window, under windows, and
        of what rounding could select instead.
    """

    label: jax.Array
    alert: jax.Array
    certified: jax.Array
    windows: jax.Array
    computed: jax.Array
    predictions: jax.Array


def detect(
    detector: Callable[[jax.Array], Masked],
    image: jax.Array,
    *,
    budget: int,
    confidence: float | jax.Array = 0.0,
) -> Detection:
    """Asks a detector about an image; see the theorem above.

        detector = patch.minority_reports(predict, patch.cover(image.shape, patch=5))
        found = patch.detect(detector, image, budget=16)
        found.label, found.alert, found.certified

    Args:
      detector: image -> `Masked`, a callable pytree.
      image: [H, W, C] in [0, 1].
      budget: windows per pass, static.
      confidence: T above, in [0, 1).

    Returns:
      Detection. All products are in float32, whatever the accelerator's default.
    """
    with jax.default_matmul_precision("float32"):
        masked = detector(image)
        return _detection(masked, budget, confidence)


def contradict(
    whole: Answers, windows: Answers, confidence: float | jax.Array
) -> jax.Array:
    """Which answers under windows raise an alert, bool [W]."""
    unsure = windows.confidences < confidence  # what is not a number is not unsure
    return (windows.labels != whole.labels) & ~unsure


def _detection(masked, budget, confidence):
    whole = answer_of(masked.whole)
    asked = masked.same == jnp.arange(masked.same.shape[0])
    answers = in_passes(masked.hide, asked, whole, budget=budget)
    certified = ~jnp.asarray(masked.lost)
    predictions = 1 + jnp.sum(asked)
    if masked.others is not None:
        others = in_passes(masked.others, masked.doubted, whole, budget=budget)
        certified &= _certified(whole, others, confidence)
        predictions += jnp.sum(masked.doubted)
    answers = jax.tree.map(
        lambda one, all_: jnp.where(masked.same == WHOLE, one, all_[masked.same]),
        whole,
        answers,
    )
    return Detection(
        whole.labels,
        jnp.any(contradict(whole, answers, confidence)),
        certified & _certified(whole, answers, confidence),
        answers.labels,
        asked,
        predictions,
    )


def _certified(whole: Answers, answers: Answers, confidence):
    """All windows say what the whole says, by a lead that rounding does not undo."""
    sure = answers.leads > LEAD
    # -inf for no threshold; one that is not a number does not certify.
    above = jnp.log(answers.confidences) - jnp.log(confidence)
    sure &= above > LEAD * answers.sizes
    agree = (answers.labels == whole.labels) & (answers.labels >= 0)
    return jnp.all(agree & sure) & (whole.leads > LEAD)
