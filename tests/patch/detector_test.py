"""What a detector says, and certifies, of answers made by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.tree_util import Partial

from mspd_jax import patch
from mspd_jax.patch._detector import LEAD
from mspd_jax.patch._neurons import WHOLE


@jax.jit
def asked_of(whole, table, same, confidence):
    """Of a detector whose answers are written in a table."""
    hide = Partial(lambda table, numbers: table[numbers], table)
    masked = patch.Masked(whole, hide, same)
    return patch.detect(lambda image: masked, None, budget=2, confidence=confidence)


def said(whole, *table, same=(0, 1, 2), confidence=0.0):
    """Label, alert, certified; the windows' logits are rows."""
    found = asked_of(
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
    found = asked_of(*map(jnp.float32, (A, [A, B, C])), jnp.asarray([none, 1, 1]), 0.0)
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


def test_no_budget_changes_what_is_said():
    table = jnp.asarray(np.random.default_rng(2).normal(size=(5, 3)), jnp.float32)
    hide = Partial(lambda table, numbers: table[numbers], table)
    masked = patch.Masked(table[0], hide, jnp.asarray([0, WHOLE, 2, 3, 2]))

    def found(budget):
        return jax.jit(lambda: patch.detect(lambda _: masked, None, budget=budget))()

    first = found(1)
    for budget in (2, 9):
        jax.tree.map(np.testing.assert_array_equal, found(budget), first)


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
