"""The one exception that a launch main turns into a line of text and exit code 2."""


class InputError(ValueError):
    """Something the user gave cannot be used.

    The message is one line: what was given, what is accepted, how to mend it. It names
    arguments in backticks; a launch main, which knows that `eps` was --eps, prints them
    as flags.
    """


def first_line(error: Exception) -> str:
    """The first line of what an error says; its type where it says nothing."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
