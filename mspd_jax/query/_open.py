"""Classifiers by their spelling on a command line."""

from mspd_jax.errors import InputError
from mspd_jax.query._command import command_classifier
from mspd_jax.query._http import http_classifier
from mspd_jax.query._own_function import own_function
from mspd_jax.query._protocol import Classifier


def open_classifier(
    text: str, *, timeout: float = 30.0, token_variable: str | None = None
) -> Classifier:
    """The classifier that a text names; nothing is asked yet.

        http://host/path, https://host/path    `http_classifier`
        python:package.module:function         `python_classifier`
        command:program --option               `command_classifier`

    timeout: seconds for an answer; a Python function has none. token_variable: an
    environment variable with the token of an HTTP service. Raises InputError.
    """
    prefix, _, rest = text.partition(":")
    if token_variable is not None and prefix not in ("http", "https"):
        raise InputError(f"{text!r} takes no token: only http and https addresses do")
    if prefix in ("http", "https"):
        return http_classifier(text, timeout=timeout, token_variable=token_variable)
    if prefix == "python":
        return python_classifier(rest)
    if prefix == "command":
        return command_classifier(rest, timeout=timeout)
    raise InputError(
        f"{text!r} names no classifier: accepted are http://host/path, "
        "https://host/path, python:package.module:function or command:program --option"
    )


def python_classifier(spec: str) -> Classifier:
    """The function "package.module:function" out of the user's own code.

    The module is imported, which runs it; it must be on Python's path.
    """
    return Classifier(f"python:{spec}", own_function(spec), lambda: None)
