"""What PyTorch's operations compute, by their names in exported programs."""

from collections.abc import Callable

from mspd_jax.models.foreign._aten_layers import LAYERS
from mspd_jax.models.foreign._aten_pointwise import POINTWISE
from mspd_jax.models.foreign._aten_reductions import REDUCTIONS
from mspd_jax.models.foreign._aten_resize import RESIZES
from mspd_jax.models.foreign._aten_shapes import SHAPES

# Overloads that take other arguments than the rest stand as name.overload.
ATEN: dict[str, Callable] = {**POINTWISE, **SHAPES, **LAYERS, **REDUCTIONS, **RESIZES}
