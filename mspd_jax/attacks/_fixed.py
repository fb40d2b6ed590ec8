"""Functions with some of their keywords fixed, as static options are."""

import functools

# One object for equal keywords, in one order: for another, JAX compiles again.
fixed = functools.cache(functools.partial)
