"""What the options of the architectures may be, and what networks take for them."""

from mspd_jax.models._layers import ACTIVATIONS

# By which label the gradient maps of a restoration network are taken.
LABEL_RULES = ("predicted", "uniform", "softmax", "all")


def checked(option: str, value: object, *, default: object) -> object:
    """The attribute of a network that this value of an option means.

    default: the option's default, which says of what kind the values are. Raises
    ValueError for what the option cannot be.
    """
    if isinstance(default, bool):
        fits, wanted = isinstance(value, bool), "true or false"
    elif isinstance(default, int):
        least = 2 if option == "depth" else 1
        fits, wanted = type(value) is int and value >= least, f"{least} or more"
    elif isinstance(default, list):
        # One for each of the stages, but for as many layers as there are widths.
        length = None if option == "widths" else len(default)
        numbers = value if isinstance(value, list | tuple) else ()
        fits = len(numbers) == length if length else len(numbers) > 0
        fits = fits and all(type(n) is int and n > 0 for n in numbers)
        wanted = f"a list of {f'{length} ' if length else ''}positive integers"
    else:
        words = list(ACTIVATIONS) if option == "activation" else list(LABEL_RULES)
        fits, wanted = isinstance(value, str) and value in words, f"one of {words}"
    if not fits:
        raise ValueError(f"{option} must be {wanted}, got {value!r}")
    if option == "activation":
        return ACTIVATIONS[str(value)]
    return tuple(value) if isinstance(value, list) else value
