"""Checks of static arguments that attacks share."""

from collections.abc import Sequence

NORMS = ("linf", "l2", "l1")


def check_norm(norm: str, allowed: Sequence[str] = NORMS) -> None:
    """Raises ValueError unless `norm` is one of `allowed`."""
    if norm not in allowed:
        raise ValueError(f"norm must be one of {', '.join(allowed)}; got {norm!r}")


def check_count(name: str, value: int, *, least: int = 1) -> None:
    """Raises ValueError unless `value` is an integer of at least `least`."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(
            f"{name} must be an integer of at least {least}; got {value!r}"
        )
