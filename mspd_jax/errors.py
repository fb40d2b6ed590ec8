"""The exceptions that a launch main turns into one line of text and an exit code."""


class InputError(ValueError):
    """Something the user gave cannot be used.

    The message is one line: what was given, what is accepted, how to mend it. It names
    arguments in backticks; a launch main, which knows that `eps` was --eps, prints them
    as flags.
    """


class StoreError(Exception):
    """An object store did not answer, also after all retries.

    Nothing that was written before is lost: the same command goes on. It is neither an
    OSError nor an InputError, so that nobody takes it for a file that is missing or an
    image that cannot be read.
    """


class StoreRefusedError(StoreError):
    """An object store said no: no such bucket, no credentials, no permission."""


def first_line(error: Exception) -> str:
    """The first line of what an error says; its type where it says nothing."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
