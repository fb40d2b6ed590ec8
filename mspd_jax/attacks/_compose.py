"""Attacks made of attacks: from a surrogate, the worst of several, averaged."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.tree_util import Partial

from mspd_jax.attacks._attempts import Candidate, better_of, no_candidate
from mspd_jax.attacks._eot import eot, reseed
from mspd_jax.attacks._fixed import fixed
from mspd_jax.attacks._losses import fooled, margin
from mspd_jax.attacks._proposal import Proposal
from mspd_jax.models import as_pytree


def transfer(attack: Partial, surrogate: Callable) -> Partial:
    """The attack run against another model, whichever model decides.

    attack, surrogate: callable pytrees; both stay leaves of the result. A randomized
    surrogate draws anew for each key. The attacked model is asked once, for the `loss`
    of the Proposal, which is its `margin`.
    """
    return Partial(_transferred, attack=attack, surrogate=as_pytree(surrogate))


def worst_case(attacks: tuple[Partial, ...]) -> Partial:
    """All of the attacks on one image; the proposal that hurts most is kept.

        argmax over the proposals of margin(predict(x), label)

    Attack i draws from fold_in(key, i). All of them run on every image: to drop the
    fallen in between, hand the list to the evaluation instead. `loss` of the Proposal
    is the margin, above zero where the image has fallen.
    """
    if not attacks:
        raise ValueError("worst_case needs at least one attack")
    return Partial(_worst, attacks=tuple(attacks))


def average_draws(attack: Partial, *, draws: int) -> Partial:
    """The attack on the average over draws of a randomized model (`eot`)."""
    return Partial(fixed(_averaged, draws=draws), attack=attack)


def _transferred(key, predict, image, label, *, attack, surrogate) -> Proposal:
    proposal = attack(key, reseed(surrogate, key), image, label)
    return Proposal(proposal.image, margin(predict(proposal.image), label))


def _worst(key, predict, image, label, *, attacks) -> Proposal:
    best = no_candidate(image)
    for number, attack in enumerate(attacks):
        found = attack(jax.random.fold_in(key, number), predict, image, label).image
        logits = predict(found)
        # NaN logits decide nothing: as in `evaluate.judge`, no model survives them.
        broken = fooled(logits, label) & jnp.any(jnp.isnan(logits))
        loss = jnp.where(broken, jnp.inf, margin(logits, label))
        # Above zero is a success: of two, the one with more loss.
        best = better_of(Candidate(found, loss, loss > 0.0), best)
    return Proposal(best.image, best.loss)


def _averaged(key, predict, image, label, *, attack, draws) -> Proposal:
    return attack(key, eot(predict, draws=draws), image, label)
