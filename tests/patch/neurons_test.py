"""Selection of neurons against a sorted list in NumPy, with many equal values."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mspd_jax import models, patch
from mspd_jax.errors import InputError
from mspd_jax.patch._neurons import WHOLE, prune, shared_selections

SHAPE = (6, 5, 3)
SIZE = math.prod(SHAPE)
WINDOWS = patch.cover((6, 5, 1), patch=2, per_axis=3)
HIDDEN = patch.hidden_by(
    WINDOWS, (models.Reach(1, -1, 1), models.Reach(1, -1, 0)), SHAPE
)
ROWS, COLS = np.asarray(HIDDEN.rows), np.asarray(HIDDEN.cols)
MASKS = (ROWS[:, None, :, None] & COLS[None, :, None, :]).reshape(-1, *SHAPE[:2])
MOST = patch.most_hidden(HIDDEN) * SHAPE[-1]


def maps():
    """Maps with ties: of a few values, of both signs, of one value, of none alike."""
    rng = np.random.default_rng(0)
    few = [rng.integers(0, n, SHAPE) for n in (2, 2, 3, 5)]
    signed = [rng.integers(-n, n + 1, SHAPE) for n in (1, 1, 2, 4)]
    sparse = [rng.random(SHAPE) * (rng.random(SHAPE) < p) for p in (0.05, 0.2, 0.5)]
    rest = [np.zeros(SHAPE), -np.ones(SHAPE), rng.normal(size=SHAPE)]
    return np.asarray([*few, *signed, *sparse, *rest], np.float32)


MAPS = maps()
KEEPS = (1, 7, SIZE - MOST + 2, SIZE)


def select(places, mask, keep):
    """The `keep` largest unhidden values, of equal ones the first; 0 elsewhere."""
    flat, hidden = places.ravel(), np.repeat(mask.ravel(), places.shape[-1])
    able = [i for i in range(flat.size) if not hidden[i]]
    chosen = sorted(able, key=lambda i: (-flat[i], i))[:keep]
    out = np.zeros_like(flat)
    out[chosen] = flat[chosen]
    return out.reshape(places.shape)


def listed(keep):
    return keep + MOST


@functools.partial(jax.jit, static_argnames=("keep", "listed"))
def pruned_by_all(places, *, keep, listed):
    """The map pruned as a whole and outside each window, and which share theirs."""
    ranked = patch.rank_neurons(places, listed=listed)
    limit = patch.limits(ranked, HIDDEN, keep=keep)
    flat = limit.ravel()
    outside = jax.vmap(lambda n: patch.prune_outside(ranked, HIDDEN, flat[n], n))
    return (
        prune(ranked, jnp.asarray(keep), None),
        outside(jnp.arange(WINDOWS.count)),
        shared_selections(ranked, HIDDEN, limit, keep=keep),
    )


@pytest.fixture(scope="module")
def found():
    """What the library gives for all maps, by the number of neurons that are kept."""
    return {
        keep: jax.tree.map(
            lambda *x: np.stack(x),
            *(pruned_by_all(x, keep=keep, listed=listed(keep)) for x in MAPS),
        )
        for keep in KEEPS
    }


@pytest.mark.parametrize("keep", KEEPS)
def test_selection_is_that_of_a_sorted_list(found, keep):
    whole, outside, _ = found[keep]
    nothing = np.zeros(SHAPE[:2], bool)
    for places, all_, by_window in zip(MAPS, whole, outside, strict=True):
        np.testing.assert_array_equal(all_, select(places, nothing, keep))
        for mask, one in zip(MASKS, by_window, strict=True):
            np.testing.assert_array_equal(one, select(places, mask, keep))


@pytest.mark.parametrize("keep", KEEPS)
def test_windows_that_share_an_answer_have_one_map(found, keep):
    whole, outside, shared = found[keep]
    for all_, by_window, same in zip(whole, outside, shared, strict=True):
        for number, other in enumerate(same):
            assert WHOLE <= other <= number
            twin = all_ if other == WHOLE else by_window[other]
            np.testing.assert_array_equal(by_window[number], twin)
            if other != WHOLE:
                assert same[other] == other  # which is asked itself


@pytest.mark.parametrize("keep", KEEPS)
def test_windows_of_one_map_share_an_answer(found, keep):
    """Each with the first that has it: nothing is asked twice."""
    for all_, by_window, same in zip(*found[keep], strict=True):
        seen = {all_.tobytes(): WHOLE}
        for number, one in enumerate(by_window):
            assert same[number] == seen.setdefault(one.tobytes(), number)


def test_some_windows_are_asked_and_some_are_not(found):
    shared = np.concatenate([found[keep][2].ravel() for keep in KEEPS[:2]])
    own = np.tile(np.arange(WINDOWS.count), 2 * len(MAPS))
    assert (shared == WHOLE).any() and (shared == own).any()
    assert ((shared != WHOLE) & (shared != own)).any()


def test_a_window_over_zeros_counts_where_values_are_negative():
    # Six zeros are the largest; hidden, negative values take their places.
    places = np.full(SHAPE, -1.0, np.float32)
    places[0, 0] = places[1, 0] = 0.0
    whole, outside, shared = pruned_by_all(jnp.asarray(places), keep=6, listed=SIZE)
    changed = (np.asarray(outside) != np.asarray(whole)).any(axis=(1, 2, 3))
    assert changed.any()
    np.testing.assert_array_equal(np.asarray(shared) != WHOLE, changed)


@pytest.mark.parametrize("keep", KEEPS)
def test_values_under_a_window_change_nothing_outside_of_it(found, keep):
    """However large they are: the selection is made anew outside."""
    outside = found[keep][1][-1]
    rng = np.random.default_rng(1)
    for number, mask in enumerate(MASKS):
        for scale in (0.1, 10.0):
            noise = scale * rng.normal(size=SHAPE)
            changed = np.where(mask[..., None], noise, MAPS[-1]).astype(np.float32)
            again = pruned_by_all(changed, keep=keep, listed=listed(keep))[1]
            np.testing.assert_array_equal(again[number], outside[number])


def test_ranks_are_the_order_turned_round():
    for places in MAPS[:4]:
        ranked = patch.rank_neurons(jnp.asarray(places), listed=11)
        want = sorted(range(SIZE), key=lambda i: (-places.ravel()[i], i))[:11]
        np.testing.assert_array_equal(ranked.order, want)
        ranks = np.full(SIZE, 11)
        ranks[want] = np.arange(11)
        np.testing.assert_array_equal(np.ravel(ranked.ranks), ranks)
        np.testing.assert_array_equal(ranked.places, places)


def test_more_listed_than_there_are_is_all():
    ranked = patch.rank_neurons(jnp.asarray(MAPS[0]), listed=SIZE + 9)
    assert sorted(np.asarray(ranked.order).tolist()) == list(range(SIZE))


def test_the_list_is_no_longer_than_it_has_to_be():
    """The largest values all lie under the largest window: one less listed is wrong."""
    keep = 4
    largest = int(np.argmax(MASKS.sum(axis=(1, 2))))
    places = np.random.default_rng(2).random(SHAPE).astype(np.float32)
    places = np.where(MASKS[largest][..., None], 1 + places, places)
    want = select(places, MASKS[largest], keep)
    for short, right in ((0, True), (1, False)):
        outside = pruned_by_all(
            jnp.asarray(places), keep=keep, listed=keep + MOST - short
        )[1]
        assert np.array_equal(outside[largest], want) == right


def test_keep_may_be_drawn():
    """A traced number of neurons, as training draws it."""
    places = jnp.asarray(MAPS[1])

    @jax.jit
    def outside(keep, number):
        ranked = patch.rank_neurons(places, listed=listed(40))
        limit = patch.limits(ranked, HIDDEN, keep=keep).ravel()[number]
        return patch.prune_outside(ranked, HIDDEN, limit, number)

    for keep in (1, 7, 40):
        got = outside(jnp.asarray(keep), 3)
        np.testing.assert_array_equal(got, select(MAPS[1], MASKS[3], keep))
    assert outside._cache_size() == 1


def test_gradients_flow_to_what_is_kept_and_to_nothing_else():
    places, number = MAPS[-1], 3
    weights = np.random.default_rng(3).normal(size=SHAPE).astype(np.float32)

    @jax.jit
    @jax.grad
    def slope(places):
        ranked = patch.rank_neurons(places, listed=listed(7))
        limit = patch.limits(ranked, HIDDEN, keep=7).ravel()[number]
        return jnp.sum(patch.prune_outside(ranked, HIDDEN, limit, number) * weights)

    kept = select(places, MASKS[number], 7) != 0
    np.testing.assert_array_equal(slope(places), np.where(kept, weights, 0))


@pytest.mark.parametrize(
    "share, count",
    [(1.0, 1000), (0.05, 50), (0.0001, 1), (0.0011, 2), (0.999, 999), (0.9991, 1000)],
)
def test_a_share_of_neurons_is_rounded_up(share, count):
    assert patch.neuron_count(share, (10, 10, 10)) == count


@pytest.mark.parametrize("share", [0.0, -0.1, 1.01, math.nan, math.inf])
def test_a_share_that_is_none_is_refused(share):
    with pytest.raises(InputError, match="above 0 to 1") as refusal:
        patch.neuron_count(share, (10, 10, 10))
    assert "\n" not in str(refusal.value)
