"""Preemptive defenses: what is done to an image before it is released."""

from mspd_jax.preempt._bilevel import bilevel, bilevel_reconstruct
from mspd_jax.preempt._mcgs import mcgs
from mspd_jax.preempt._picture import TILE as TILE
from mspd_jax.preempt._picture import Sights, protect_picture
from mspd_jax.preempt._picture import Spread as Spread
from mspd_jax.preempt._picture import count_calls as count_calls
from mspd_jax.preempt._picture import see as see
from mspd_jax.preempt._picture import seen_tile as seen_tile
from mspd_jax.preempt._picture import turned_tile as turned_tile
from mspd_jax.preempt._picture import turns as turns
from mspd_jax.preempt._picture import view_label as view_label
from mspd_jax.preempt._picture import view_slopes as view_slopes
from mspd_jax.preempt._protect import Protected as Protected
from mspd_jax.preempt._protect import assumed_label as assumed_label
from mspd_jax.preempt._protect import protect, revert
from mspd_jax.preempt._views import box_views as box_views

# What users call; other rooms may import the rest.
__all__ = [
    "Sights",
    "bilevel",
    "bilevel_reconstruct",
    "mcgs",
    "protect",
    "protect_picture",
    "revert",
]
