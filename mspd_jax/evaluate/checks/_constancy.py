"""Whether a model still answers at the end of an evaluation as it did before."""

import jax
import numpy as np

from mspd_jax.evaluate.checks._check import Check
from mspd_jax.evaluate.checks._programs import (
    ROUNDING,
    Subject,
    largest_change,
    logits_at,
)


def check_constancy(about: Subject) -> Check:
    """Whether the logits are those of the start, after all that came between.

    about: the model with its logits, as `subject` found them before the evaluation;
    call this after the last attack. A model that counts its calls, learns from them or
    goes by the clock is not the one that was attacked. The model is asked twice: by the
    compiled program of the start, and traced anew, since a function that changes on the
    host (an attribute, a counter) is compiled in as it was. A model that answers alike
    passes: exactly the same program runs again on the same images, in the same batch.
    False alarms: none in 190 (19 sound models of digits, 10 batches each).

    Costs 2 N predictions and one compilation of the model.
    """
    name, threshold = "constant answers", f"at most {ROUNDING} of the spread"
    advice = (
        "the model keeps a state (a count of calls, statistics, the clock): clean and "
        "robust accuracy are those of different models; make it a pure function"
    )
    if not about.repeats:
        reason = "nothing: the logits change from call to call anyway"
        return Check(name, None, reason, threshold, advice)
    again = logits_at(about.predict, about.images)
    # A new function: JAX has not traced it before.
    program = jax.jit(lambda predict, images: jax.vmap(predict)(images))
    anew = jax.device_get(program(about.predict, about.images))
    moved = [
        float(np.max(largest_change(about.logits, other))) / about.spread
        for other in (again, np.asarray(anew, np.float64))
    ]
    return Check(
        name,
        max(moved) <= ROUNDING,
        f"after the attacks the logits of {len(about.images)} images differ from those "
        f"before by {moved[0]:.2g} of their spread, traced anew by {moved[1]:.2g}",
        threshold,
        advice,
    )
