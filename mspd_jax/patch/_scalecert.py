r"""ScaleCert: windows over the important neurons of a shallow map (arXiv 2110.14120).

A classifier is split into h, a map whose places see little of the image, and g, the
rest. With T the map of the k largest values alone (`rank_neurons`, `prune`),

    f_0(x) = g(T(h(x))),   f_w(x) = g(T(h(x) without the neurons that see window w)).

The k largest are chosen anew outside of each window. Hence the two conditions of
`detect` hold, and with them its theorem:

(1) f_w does not depend on any pixel of w. Each neuron that is left sees none of them
    (`models.split` follows the program of h to know what it sees), so the list of these
    neurons and their values is the same whatever the pixels of w are. T looks at that
    list alone, with ties broken by place, and g at what T gives.
    Were the k largest chosen before the window is hidden, a bright patch in w would
    push others out of the selection, and f_w would change with it.
(2) The windows cover every place of the patch (`cover`).

Windows that leave the same neurons have the same answer, and are asked once; those
that no selected neuron sees need not be asked at all: the k largest of all are then
also the k largest outside, so T, and with it f_w, is that of f_0 (`shared_selections`).

That is exact arithmetic. Computed values are rounded, and two that are nearly equal may
change places: T then leaves other neurons, and f_w is another function. Nothing is
certified on how such a tie falls: `doubts` names every selection outside of a window
that rounding could make, if each computed neuron is within NEAR / 4 of the exact one,
in units of the largest outside of the window; all of them must give the label, with the
lead of `detect`. Where more neurons are in doubt than are followed, the image is not
certified. Alerts are raised by what is computed.

With k = 1 (all neurons) nothing is pruned, and this is the masking of features of
PatchGuard++ (arXiv 2104.12609).
"""

import functools
import math

import jax
import jax.numpy as jnp
from jax.tree_util import Partial

from mspd_jax.errors import InputError
from mspd_jax.models import Split
from mspd_jax.patch._detector import Masked
from mspd_jax.patch._doubts import MOST, SWAPS, doubts, exchange
from mspd_jax.patch._neurons import (
    limits,
    neuron_count,
    prune,
    prune_outside,
    rank_neurons,
    score_shape,
    shared_selections,
)
from mspd_jax.patch._windows import Windows, hidden_by, most_hidden


def scalecert(
    parts: Split, windows: Windows, *, keep: float, select: str = "neurons"
) -> Partial:
    """The detector: image -> `Masked`, for `detect`.

    keep: share of the map's neurons that are selected (k), rounded up to whole ones.
    select: "neurons", or "places" with all of theirs, of which k is a share then.
    Raises InputError for windows of other images, for ones that all hide the whole map,
    and for more than memory can hold.
    """
    if tuple(parts.image_size) != windows.image_size:
        raise InputError(
            f"windows are for images of {windows.image_size}, the network for "
            f"{tuple(parts.image_size)}"
        )
    hidden = hidden_by(windows, parts.reaches, parts.map_shape)
    if bool(hidden.rows.all() & hidden.cols.all()):
        raise InputError(
            f"every window of {windows.height} x {windows.width} pixels hides all "
            f"places of the {parts.map_shape} map: cut sooner, or take more windows"
        )
    among = score_shape(parts.map_shape, select)
    count = neuron_count(keep, parts.map_shape, select=select)
    listed = count + MOST + most_hidden(hidden) * among[-1]
    if windows.count * min(listed, math.prod(among)) > _MOST_COMPARED:
        raise InputError(
            f"{windows.count} windows over {listed} neurons are too many: take fewer "
            "windows, or keep fewer neurons"
        )
    look = _look_function(count, listed, select)
    return Partial(look, parts.shallow, parts.rest, hidden)


# Windows times neurons that are looked at; each takes some bytes.
_MOST_COMPARED = 2**28


# Cached: equal numbers give the same function, and so the same compilation.
@functools.cache
def _look_function(keep, listed, select):
    def look(shallow, rest, hidden, image):
        ranked = rank_neurons(shallow(image), listed=listed, select=select)
        limit = limits(ranked, hidden, keep=keep)
        doubtful = doubts(ranked, hidden, keep=keep)
        return Masked(
            rest(prune(ranked, jnp.asarray(keep), None)),
            Partial(_hide, rest, ranked, hidden, limit.ravel()),
            shared_selections(ranked, hidden, limit, keep=keep),
            Partial(_exchange, rest, ranked, hidden, limit.ravel(), doubtful),
            doubtful.needed.ravel(),
            jnp.any(doubtful.lost),
        )

    return look


def _exchange(rest, ranked, hidden, limit, doubtful, numbers):
    def one(number):
        window, swap = jnp.divmod(number, len(SWAPS))
        swapped = doubtful.drop[window, swap], doubtful.add[window, swap]
        return rest(exchange(ranked, hidden, limit[window], window, *swapped))

    return jax.vmap(one)(numbers)


def _hide(rest, ranked, hidden, limit, numbers):
    return jax.vmap(lambda n: rest(prune_outside(ranked, hidden, limit[n], n)))(numbers)
