"""Printing to a reader who may have seen enough, as `head` has."""

import contextlib
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def unread_is_fine() -> Iterator[None]:
    """Prints what is left at the end, unless nobody reads it any more."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:  # nor is it tried again at the end of Python
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
