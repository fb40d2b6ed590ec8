"""Checks of arguments that purifiers share."""

import math
import numbers
import operator

import chex
import jax


def check_integer(
    name: str, value: object, *, least: int, most: int | None = None
) -> int:
    """The value as an int; ValueError unless it is an integer of `least` to `most`."""
    try:
        integer = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        integer = None
    too_many = most is not None and integer is not None and integer > most
    if integer is None or isinstance(value, bool) or integer < least or too_many:
        rule = f"of at least {least}" if most is None else f"of {least} to {most}"
        raise ValueError(f"{name} must be an integer {rule}; got {value!r}")
    return integer


def check_amount(name: str, value: object) -> None:
    """ValueError if the value is a number known here that is negative or not finite.

    What is traced or an array passes: its value is not known when the call is made.
    """
    if isinstance(value, numbers.Real) and not 0.0 <= float(value) < math.inf:
        raise ValueError(f"{name} must be finite and at least 0; got {value}")


def check_jpeg_image(image: jax.Array) -> None:
    """ValueError unless the image is [H, W, 1] or [H, W, 3], which a file can hold."""
    chex.assert_rank(image, 3)
    if image.shape[-1] not in (1, 3):
        raise ValueError(f"image must be [H, W, 1] or [H, W, 3]; got {image.shape}")
