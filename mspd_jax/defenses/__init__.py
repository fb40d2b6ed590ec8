"""Defenses in front of a classifier: what their authors claim, and how to attack it."""

from mspd_jax.defenses._bit_depth import bit_depth
from mspd_jax.defenses._blur import gaussian_blur, median_blur
from mspd_jax.defenses._defend import Defended as Defended
from mspd_jax.defenses._defend import defend
from mspd_jax.defenses._gcm import gcm
from mspd_jax.defenses._gradient_map import gradient_map
from mspd_jax.defenses._gradient_map import map_count as map_count
from mspd_jax.defenses._jpeg import jpeg_soft
from mspd_jax.defenses._jpeg_codec import jpeg
from mspd_jax.defenses._named import known_defenses as known_defenses
from mspd_jax.defenses._random_resize import random_resize
from mspd_jax.defenses._total_variation import total_variation
from mspd_jax.defenses._trn import restoration as restoration
from mspd_jax.defenses._trn import trn

# What users call; other rooms may import the rest.
__all__ = [
    "bit_depth",
    "defend",
    "gaussian_blur",
    "gcm",
    "gradient_map",
    "jpeg",
    "jpeg_soft",
    "median_blur",
    "random_resize",
    "total_variation",
    "trn",
]
