"""Passes against asking everything, and verdicts on answers made by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.tree_util import Partial
from scipy import special

from mspd_jax import patch
from mspd_jax.errors import InputError
from mspd_jax.patch._detector import LEAD
from mspd_jax.patch._neurons import WHOLE
from mspd_jax.patch._passes import Answers, answer_of, in_passes

COUNT = 7
TABLE = np.random.default_rng(0).normal(size=(COUNT, 4)).astype(np.float32)
OTHERS = Answers(*(jnp.asarray(x) for x in (9, 0.25, 0.125, 1.0)))


@pytest.mark.parametrize("budget", [1, 3, COUNT, COUNT + 5])
def test_passes_give_what_asking_everything_gives(budget):
    @jax.jit
    def run(needed):
        ask = Partial(lambda table, numbers: table[numbers], jnp.asarray(TABLE))
        return in_passes(ask, needed, OTHERS, budget=budget)

    sure = np.sort(TABLE)[:, ::-1]
    p = special.softmax(TABLE.astype(np.float64), axis=1).max(axis=1)
    for chosen in ((), (0,), (6,), (0, 6), (1, 2, 5), (5, 3, 4, 0), range(COUNT)):
        needed = np.isin(np.arange(COUNT), list(chosen))
        found = run(needed)
        assert found.labels.shape == (COUNT,)
        labels = np.where(needed, TABLE.argmax(axis=1), 9)
        np.testing.assert_array_equal(found.labels, labels)
        leads = (sure[:, 0] - sure[:, 1]) / np.abs(TABLE).max(axis=1).clip(1)
        leads = np.where(needed, leads, 0.125)
        np.testing.assert_allclose(found.leads, leads, rtol=1e-6)
        np.testing.assert_allclose(found.confidences, np.where(needed, p, 0.25), 1e-6)
    assert run._cache_size() == 1


def test_nothing_is_computed_but_what_is_needed():
    asked = []

    def ask(numbers):
        jax.debug.callback(lambda n: asked.append(n.tolist()), numbers, ordered=True)
        return jnp.asarray(TABLE)[numbers]

    run = jax.jit(lambda needed: in_passes(ask, needed, OTHERS, budget=2))
    for needed, passes in (([], 0), ([3], 1), ([1, 6], 1), ([0, 2, 4], 2)):
        asked.clear()
        jax.block_until_ready(run(np.isin(np.arange(COUNT), needed)))
        jax.effects_barrier()
        assert len(asked) == passes
        flat = sum(asked, [])
        assert flat[: len(needed)] == needed


def test_passes_of_a_batch_are_those_of_each_row():
    ask = Partial(lambda table, numbers: table[numbers], jnp.asarray(TABLE))
    needed = np.random.default_rng(1).random((5, COUNT)) < 0.5
    needed[0] = False
    run = jax.jit(jax.vmap(lambda chosen: in_passes(ask, chosen, OTHERS, budget=2)))
    labels = np.where(needed, TABLE.argmax(axis=1), 9)
    np.testing.assert_array_equal(run(needed).labels, labels)


def test_answers_to_logits():
    logits = np.float32([[1, 4, 2], [2, 2, 1], [np.nan, 9, 0], [0, 0, np.nan]])
    found = answer_of(jnp.asarray(logits))
    np.testing.assert_array_equal(found.labels, [1, 0, -1, -1])
    np.testing.assert_allclose(found.leads, [2 / 4, 0, 0, 0])
    with pytest.raises(InputError, match="single class"):
        answer_of(jnp.ones((3, 1)))
    p = [np.exp(4) / np.exp([1, 4, 2]).sum(), 1 / (2 + np.exp(-1)), 0, 0]
    np.testing.assert_allclose(found.confidences, p, rtol=1e-6)


@jax.jit
def verdict(whole, table, same, confidence):
    """Of a detector whose answers are written in a table."""
    hide = Partial(lambda table, numbers: table[numbers], table)
    masked = patch.Masked(whole, hide, same)
    return patch.detect(lambda image: masked, None, budget=2, confidence=confidence)


def said(whole, *table, same=(0, 1, 2), confidence=0.0):
    """Label, alert, certified; the windows' logits are rows."""
    found = verdict(
        jnp.asarray(whole, jnp.float32),
        jnp.asarray(table, jnp.float32),
        jnp.asarray(same),
        confidence,
    )
    np.testing.assert_array_equal(found.computed, np.asarray(same) == [0, 1, 2])
    return int(found.label), bool(found.alert), bool(found.certified)


NAN = float("nan")
A, B, C = [2, 0, 0], [0, 2, 0], [0, 0, 2]
ODDS = float(np.exp(2) / (np.exp(2) + 2))  # of their label: .787


def test_all_agree():
    assert said(A, A, A, A) == (0, False, True)


@pytest.mark.parametrize("place", range(3))
def test_one_window_that_disagrees_is_an_alert(place):
    table = [A, A, A]
    table[place] = B
    assert said(A, *table) == (0, True, False)


def test_windows_that_agree_against_the_whole():
    """As under an attack on a certified image: an alert, and no certificate."""
    assert said(B, A, A, A) == (1, True, False)


def test_a_window_that_shares_an_answer_is_not_asked():
    none = WHOLE
    assert said(A, A, B, A, same=(0, none, 2)) == (0, False, True)
    assert said(A, A, B, A, same=(none, 1, 2)) == (0, True, False)
    assert said(A, B, B, B, same=(none,) * 3) == (0, False, True)
    assert said(A, A, B, A, same=(0, 0, 2)) == (0, False, True)
    assert said(A, B, A, A, same=(0, 0, 2)) == (0, True, False)
    found = verdict(*map(jnp.float32, (A, [A, B, C])), jnp.asarray([none, 1, 1]), 0.0)
    np.testing.assert_array_equal(found.windows, [0, 1, 1])


def test_answers_that_are_not_numbers():
    bad = [NAN, 3, 0]
    assert said(A, A, bad, A) == (0, True, False)
    assert said(bad, A, A, A) == (-1, True, False)
    assert said(bad, bad, bad, bad) == (-1, False, False)
    assert said(bad, A, A, A, same=(WHOLE,) * 3) == (-1, False, False)
    # Beyond float32 a label has no confidence to compare.
    infinite = [np.inf, 0, 0]
    assert said(A, A, infinite, A) == (0, False, False)
    assert said([np.inf, np.inf, 0], A, A, A) == (0, False, False)
    assert said(A, A, [0, np.inf, 0], A) == (0, True, False)


@pytest.mark.parametrize("factor, certified", [(0.9, False), (1.1, True)])
def test_a_lead_that_rounding_may_undo_is_no_certificate(factor, certified):
    # Rounding grows with the largest logit: so does the lead that is asked for.
    close = [5 * factor * LEAD, 0, -5]
    assert said(A, A, close, A) == (0, False, certified)
    assert said(close, A, A, A) == (0, False, certified)
    assert said([0, 0, -1], A, A, A) == (0, False, False)


@pytest.mark.parametrize(
    "others, doubted, lost, certified",
    [
        ([A, A], [True, True], False, True),
        ([A, B], [True, True], False, False),
        ([A, [0.001, 0, 0]], [True, True], False, False),
        ([A, B], [True, False], False, True),
        ([A, A], [True, True], True, False),
        ([A, A], [False, False], True, False),
    ],
)
def test_what_rounding_could_say_instead_must_agree(others, doubted, lost, certified):
    """But only what was computed raises an alert."""

    def hide(table, numbers):
        return table[numbers]

    masked = patch.Masked(
        jnp.float32(A),
        Partial(hide, jnp.float32([A, A])),
        jnp.arange(2),
        Partial(hide, jnp.float32(others)),
        jnp.asarray(doubted),
        jnp.asarray(lost),
    )
    found = patch.detect(lambda image: masked, None, budget=2)
    assert (bool(found.alert), bool(found.certified)) == (False, certified)


def test_the_lead_is_far_above_rounding():
    assert LEAD >= 1000 * np.finfo(np.float32).eps


def test_only_confident_windows_raise_an_alert():
    assert said(A, A, B, A, confidence=ODDS - 0.01) == (0, True, False)
    assert said(A, A, B, A, confidence=ODDS + 0.01) == (0, False, False)
    # A window that agrees must be as confident, to raise the alert under a patch.
    assert said(A, A, A, A, confidence=ODDS - 0.01) == (0, False, True)
    assert said(A, A, A, A, confidence=ODDS + 0.01) == (0, False, False)
    # So near the threshold, rounding decides about the alert.
    # Log p follows the logits, and rounding these in units of the largest, here 2.
    for factor, certified in ((0.9, False), (1.1, True)):
        near = ODDS * np.exp(-factor * 2 * LEAD)
        assert said(A, A, A, A, confidence=near) == (0, False, certified)


def test_the_answer_to_the_whole_need_not_be_confident():
    unsure, odds = [0.1, 0, 0], ODDS - 0.01
    assert said(unsure, A, A, A, confidence=odds) == (0, False, True)
    # ... but where it stands for a window.
    same = (0, WHOLE, 2)
    assert said(unsure, A, A, A, same=same, confidence=odds) == (0, False, False)


def test_no_budget_changes_a_verdict():
    table = jnp.asarray(np.random.default_rng(2).normal(size=(5, 3)), jnp.float32)
    hide = Partial(lambda table, numbers: table[numbers], table)
    masked = patch.Masked(table[0], hide, jnp.asarray([0, WHOLE, 2, 3, 2]))

    def found(budget):
        return jax.jit(lambda: patch.detect(lambda _: masked, None, budget=budget))()

    first = found(1)
    for budget in (2, 9):
        jax.tree.map(np.testing.assert_array_equal, found(budget), first)


def tabled(table, image, first, second):
    """As `patch_cleanser`, from a table of labels [W, W]."""
    del image
    return 3.0 * jax.nn.one_hot(table[first, second], 3)


FOUR = jnp.arange(4)


def recovered(table):
    table = jnp.asarray(table)
    assert (table == table.T).all()  # two windows hide the same in either order
    found = RECOVER(table)
    computed = int(found.computed)
    return int(found.label), bool(found.certified), computed


RECOVER = jax.jit(
    lambda table: patch.recover(
        patch.Pairs(Partial(tabled, table), FOUR), None, budget=3
    )
)


def test_recovery_of_what_all_agree_on():
    table = np.ones((4, 4), int)
    assert recovered(table) == (1, True, 4 + 6)
    table[1, 3] = table[3, 1] = 2  # a pair of windows says otherwise
    assert recovered(table) == (1, False, 4 + 6)


def test_recovery_of_what_a_patch_hides():
    """A patch in window 2: all that leave it open say 0, all others 1."""
    table = np.zeros((4, 4), int)
    table[2, :] = table[:, 2] = 1
    assert recovered(table) == (1, False, 4 + 3)
    table[2, 0] = table[0, 2] = 0  # then window 2 does not stand by its label
    assert recovered(table) == (0, False, 4 + 3)


def test_a_threshold_that_is_not_a_number_certifies_nothing():
    run = jax.jit(lambda m, c: patch.detect(lambda _: m, None, budget=3, confidence=c))
    table = jnp.asarray([A] * 3, jnp.float32)
    ask = Partial(lambda table, numbers: table[numbers], table)
    masked = patch.Masked(table[0], ask, jnp.arange(3))
    assert run(masked, jnp.float32(0.5)).certified
    assert not run(masked, jnp.float32(jnp.nan)).certified


@pytest.mark.parametrize("budget", [1, 2, 9])
@pytest.mark.parametrize("compiled", [False, True])
def test_a_single_window_is_asked(budget, compiled):
    def look(table):
        hide = Partial(lambda table, numbers: table[numbers], table)
        masked = patch.Masked(jnp.float32(A), hide, jnp.arange(1))
        return patch.detect(lambda image: masked, None, budget=budget)

    found = (jax.jit(look) if compiled else look)(jnp.float32([B]))
    assert (int(found.windows[0]), bool(found.alert), bool(found.certified)) == (
        1,
        True,
        False,
    )
