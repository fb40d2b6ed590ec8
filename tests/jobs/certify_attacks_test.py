"""Attacks on what is said of patches: which, with what, and from which class."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.tree_util import Partial

from mspd_jax import attacks, jobs
from mspd_jax.errors import InputError
from mspd_jax.jobs._certify_attacks import (
    ask_and_attack,
    check_attacks,
    described_attacks,
    patch_attacks,
)


def method_of(*attack, kind=jobs.Minority, **sizes):
    return kind(patch=2, attacks=jobs.PatchAttacks(attack=attack, **sizes))


def test_attacks_are_those_that_are_named():
    def names(method):
        return list(patch_attacks(jnp.ravel, method=method, shape=(6, 6, 1), side=2))

    assert names(jobs.Minority(patch=2)) == []
    assert names(method_of()) == []
    assert names(method_of("aware", "pgd")) == ["aware", "pgd"]


@pytest.mark.parametrize(
    ("method", "words"),
    [
        (method_of("pgd", "fgsm"), "`attack`=fgsm: expected some of pgd, aware"),
        (method_of("aware", kind=jobs.PatchCleanser), "`attack`=aware evades alerts"),
        (method_of("pgd", attack_sample=2), "`attack_sample` goes with"),
    ],
)
def test_what_does_not_go_together_is_refused(method, words):
    check_attacks(method_of("aware", attack_sample=2))
    with pytest.raises(InputError, match=words):
        check_attacks(method)


def noting(key, detector, image, label):
    """An attack whose image says what it was called with."""
    del detector
    noted = jnp.stack([image, label.astype(jnp.float32), jax.random.uniform(key)])
    return attacks.Proposal(noted, 0.0)


class Said(NamedTuple):
    label: jax.Array


def ask(detector, image):
    """Takes an image for 7, and one that was attacked for what the attack noted."""
    del detector
    return Said(image if image.ndim else jnp.int32(7))


def said(chosen, label):
    found, attacked = ask_and_attack(
        ask,
        {name: (None, Partial(noting)) for name in chosen},
        jax.random.key(0),
        None,
        jnp.float32(3.0),
        jnp.int32(label),
    )
    assert found.label == 7
    assert not any(alert for _, alert in attacked.values())
    return {name: np.asarray(noted) for name, (noted, _) in attacked.items()}


def test_an_attack_starts_from_the_label_or_from_the_answer_where_there_is_none():
    assert said(["pgd"], 4)["pgd"][:2].tolist() == [3, 4]
    assert said(["pgd"], -1)["pgd"][:2].tolist() == [3, 7]


def test_the_numbers_of_an_attack_do_not_depend_on_the_others():
    both, alone = said(["pgd", "aware"], 4), said(["aware"], 4)
    np.testing.assert_array_equal(both["aware"], alone["aware"])
    assert both["aware"][2] != both["pgd"][2]


def test_records_name_the_attacks_if_there_were_any():
    assert described_attacks({}) == {}
    found = described_attacks({"pgd": (np.int32(3), np.bool_(True))})
    assert found == {"attacks": {"pgd": {"prediction": 3, "alert": True}}}
