"""Preemptive defenses: what is done to an image before it is released."""

from mspd_jax.preempt._bilevel import bilevel, bilevel_reconstruct
from mspd_jax.preempt._mcgs import mcgs
from mspd_jax.preempt._protect import Protected as Protected
from mspd_jax.preempt._protect import assumed_label as assumed_label
from mspd_jax.preempt._protect import protect, revert

# What users call; other rooms may import the rest.
__all__ = ["bilevel", "bilevel_reconstruct", "mcgs", "protect", "revert"]
