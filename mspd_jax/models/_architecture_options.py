"""What the options of the architectures may be, and what networks take for them."""

from collections.abc import Callable

import jax

from mspd_jax.models._layers import ACTIVATIONS

# By which label the gradient maps of a restoration network are taken.
LABEL_RULES = ("predicted", "uniform", "softmax", "all")


def checked(option: str, value: object, *, default: object) -> object:
    """The attribute of a network that this value of an option means.

    default: the option's default. Raises ValueError for what the option cannot be.
    """
    checks = _LISTS if isinstance(default, list) else _CHECKS
    return checks[option](value)


def _activation(value: object) -> Callable[[jax.Array], jax.Array]:
    if not isinstance(value, str) or value not in ACTIVATIONS:
        raise ValueError(
            f"activation must be one of {list(ACTIVATIONS)}, got {value!r}"
        )
    return ACTIVATIONS[value]


def _rule(value: object) -> str:
    if not isinstance(value, str) or value not in LABEL_RULES:
        raise ValueError(f"rule must be one of {list(LABEL_RULES)}, got {value!r}")
    return value


def _norm(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"norm must be true or false, got {value!r}")
    return value


def _at_least(least: int, option: str) -> Callable[[object], int]:
    def check(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise ValueError(f"{option} must be {least} or more, got {value!r}")
        return value

    return check


def _list_of(
    option: str, length: int | None = None
) -> Callable[[object], tuple[int, ...]]:
    def check(value: object) -> tuple[int, ...]:
        numbers = tuple(value) if isinstance(value, list | tuple) else ()
        right = len(numbers) == length if length else numbers
        if not right or not all(type(n) is int and n > 0 for n in numbers):
            wanted = f"{length} positive integers" if length else "positive integers"
            raise ValueError(f"{option} must be a list of {wanted}, got {value!r}")
        return numbers

    return check


_CHECKS: dict[str, Callable[[object], object]] = {
    "activation": _activation,
    "norm": _norm,
    "depth": _at_least(2, "depth"),
    "width": _at_least(1, "width"),
    "blocks": _at_least(1, "blocks"),
    "recursions": _at_least(1, "recursions"),
    "stages": _at_least(1, "stages"),
    "shrink": _at_least(1, "shrink"),
    "maps": _at_least(1, "maps"),
    "rule": _rule,
}

# Options that are lists. Of some networks "blocks" is a number, of others it is a list
# of one for each stage.
_LISTS = {
    "widths": _list_of("widths"),
    "blocks": _list_of("blocks", 4),
    "strides": _list_of("strides", 4),
}
