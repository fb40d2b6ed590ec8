"""What a classifier may answer: labels, rows of scores, or names of classes."""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np

from mspd_jax.errors import InputError

# "No class": counts among the samples drawn and for no label, a vote against each.
NO_CLASS = -1


def read_labels(
    reply: object,
    count: int,
    num_classes: int,
    class_names: Sequence[str] | None = None,
) -> np.ndarray:
    """Labels int32 [count] of an answer to `count` images, as `query_access` has it.

    Of equal scores the first decides. NO_CLASS: a score that is NaN anywhere in its
    row, an integer outside 0..num_classes - 1, a name that is not in the list, None in
    a list. InputError where type or shape are others: that is a mistake, no answer.
    """
    if isinstance(reply, list | tuple):
        reply = _numbered(reply, class_names)
    values = _as_array(reply)
    if values is None:
        raise _refused(type(reply).__name__, count, num_classes)
    if values.shape == (count,) and values.dtype.kind in "iu":
        valid = (values >= 0) & (values < num_classes)
        # In two steps: the answer's own type may be unsigned.
        labels = np.where(valid, values, 0).astype(np.int32)
        return np.where(valid, labels, np.int32(NO_CLASS))
    if values.shape == (count, num_classes) and values.dtype.kind in "fiu":
        broken = np.isnan(values).any(axis=1)
        return np.where(broken, NO_CLASS, values.argmax(axis=1)).astype(np.int32)
    raise _refused(f"{values.dtype} {list(values.shape)}", count, num_classes)


def _numbered(reply, class_names):
    """A list in which names are class numbers, and None is NO_CLASS."""
    names = [item for item in reply if isinstance(item, str)]
    if names and class_names is None:
        raise InputError(
            f"the classifier answered names ({names[0][:40]!r}), and no names of "
            "classes were given: name them in order, or answer labels or scores"
        )
    place = {name: i for i, name in enumerate(class_names or ())} | {None: NO_CLASS}
    return [
        place.get(item, NO_CLASS) if item is None or isinstance(item, str) else item
        for item in reply
    ]


def _as_array(reply):
    """The answer as an array of a plain number type, or None if it is not one."""
    if hasattr(reply, "detach"):  # a PyTorch tensor, perhaps with a gradient
        reply = reply.detach().cpu()
    try:
        values = np.asarray(reply)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        return None  # ragged, or not an array at all
    if jnp.issubdtype(values.dtype, jnp.floating):
        # Narrow floats (bfloat16) have no kind of their own in NumPy.
        return values if values.dtype.kind == "f" else values.astype(np.float32)
    return values if values.dtype.kind in "biu" else None


def _refused(got, count, num_classes):
    return InputError(
        f"the classifier answered {got} to {count} images: accepted are integer labels "
        f"[{count}], float scores [{count}, {num_classes}], or a list of {count} names "
        "of classes"
    )
