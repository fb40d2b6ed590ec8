"""PatchCleanser: certified recovery by two windows (Xiang et al. 2022).

arXiv 2108.09135. It does not raise alerts: it gives a label, and certifies that no
patch changes it. Windows as in Minority Reports, but in pairs.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.tree_util import Partial

from mspd_jax.models import PIXEL, as_pytree
from mspd_jax.patch._detector import LEAD
from mspd_jax.patch._passes import Answers, in_passes
from mspd_jax.patch._windows import Windows, gray_window, hidden_by, hides


class Recovery(NamedTuple):
    """What PatchCleanser says of an image.

    Attributes:
      label: int [], -1 where no answer is a label.
      certified: bool [], no patch of the size changes it.
      windows: int [W], label under each single window.
      computed: int [], predictions that were asked for.
    """

    label: jax.Array
    certified: jax.Array
    windows: jax.Array
    computed: jax.Array


class Pairs(NamedTuple):
    """What `recover` asks.

    Attributes:
      ask: (image, windows [b], windows [b]) -> logits [b, K] with both hidden.
      windows: int [W], the numbers of all windows, from 0 on.
    """

    ask: Partial
    windows: jax.Array


def patch_cleanser(predict: Callable, windows: Windows) -> Pairs:
    """PatchCleanser of a classifier, image -> logits [K]: a callable pytree or not."""
    hidden = hidden_by(windows, (PIXEL, PIXEL), windows.image_size)
    ask = Partial(_under_two, as_pytree(predict), hidden)
    return Pairs(ask, jnp.arange(windows.count))


def recover(pairs: Pairs, image: jax.Array, *, budget: int) -> Recovery:
    """Label and certificate by double masking (algorithms 1 and 2 of the paper).

    The answers under single windows agree on a label, which is returned; or a window
    disagrees with the majority: it is trusted if it keeps its label under every
    second window, for then the patch was under it. Certified is a label that all pairs
    of windows give. Proof: some window v hides the patch wholly; a pair with v does not
    see it, so it says y, at x' as at x. v itself, paired with v, says y. If all single
    windows agree, they agree with v on y. Otherwise the majority is y, and no window w
    that disagrees is trusted, for w with v says y; or the majority is another label,
    and then v disagrees with it, is asked, and keeps y under every second window,
    while no other that is not for y does: w with v says y.

    Args:
      pairs: of `patch_cleanser`.
      image: [H, W, C] in [0, 1].
      budget: predictions per pass, static. All pairs are asked if single windows agree,
        else the rows of those that disagree.

    Returns:
      Recovery. All products are in float32, whatever the accelerator's default.
    """
    with jax.default_matmul_precision("float32"):
        count = pairs.windows.shape[0]
        first, second = jnp.divmod(jnp.arange(count * count), count)

        def ask(numbers):
            return pairs.ask(image, *jnp.divmod(numbers, count))

        nothing = Answers(*(jnp.asarray(x) for x in (-1, 0.0, 0.0, 1.0)))
        single = in_passes(ask, first == second, nothing, budget=budget)
        labels = single.labels[:: count + 1]
        majority = _majority(labels)
        apart = labels != majority
        agree = ~jnp.any(apart)
        needed = jnp.where(agree, first < second, apart[first] & (first != second))
        double = in_passes(ask, needed, nothing, budget=budget)
        table = jnp.where(first == second, single.labels, double.labels)
        table = table.reshape(count, count)
        trusted = apart & jnp.all(table == labels[:, None], axis=1) & (labels >= 0)
        label = jnp.where(jnp.any(trusted), labels[jnp.argmax(trusted)], majority)
        asked = (first == second) | needed
        leads = jnp.where(first == second, single.leads, double.leads)
        same = jnp.where(asked, (table.ravel() == majority) & (leads > LEAD), True)
        certified = agree & jnp.all(same) & (majority >= 0)
        return Recovery(label, certified, labels, jnp.sum(asked))


def _under_two(predict, hidden, image, first, second):
    def one(a, b):
        return predict(gray_window(image, hides(hidden, a) | hides(hidden, b)))

    return jax.vmap(one)(first, second)


def _majority(labels):
    """The most frequent label, the one of the first window that has it."""
    votes = jnp.sum(labels[:, None] == labels[None, :], axis=1)
    return labels[jnp.argmax(votes)]
