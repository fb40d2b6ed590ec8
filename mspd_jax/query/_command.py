"""A classifier that is a program: started once, asked by lines of JSON."""

import atexit
import contextlib
import os
import shlex
import signal
import subprocess
import threading

from mspd_jax.errors import InputError
from mspd_jax.query import _protocol
from mspd_jax.query._protocol import MOST_BYTES, Classifier

_PATIENCE = 2.0  # seconds that a program has to end by itself


def command_classifier(
    command: str, *, timeout: float = 60.0, limit: int = MOST_BYTES
) -> Classifier:
    """The classifier that a command line starts, a program that stays.

    One request of `http_classifier` is a line on its standard input, one answer a line
    on its standard output, where nothing else may go; its errors go where ours go. It
    starts with the first question, without a shell, and ends with `close`, at the
    latest when Python does. A program that ends, or that takes more than `timeout`
    seconds and is killed, raises ConnectionError or TimeoutError, and the next question
    starts it again. limit: bytes of an answer.
    """
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise InputError(f"the command {command!r} cannot be read: {error}") from error
    if not words:
        raise InputError("the command of the classifier is empty")
    _protocol.check_timeout(timeout)
    name = f"command:{command}"
    running: list[subprocess.Popen] = []

    def ask(images):
        if not running:
            running.append(_start(name, words))
        try:
            request = _protocol.encode_request(images)
            line = _exchange(running[0], request, timeout, limit)
            if len(line) > limit:
                raise _protocol.too_long(name, limit)
            return _protocol.decode_reply(name, line)
        except BaseException:
            # Whatever it says next would be taken for the answer to another question.
            close()
            raise

    def close():
        while running:
            _end(running.pop())

    atexit.register(close)
    return Classifier(name, ask, close)


def _start(name, words):
    try:
        # Its own session: signals reach what it starts in turn, and Ctrl-C only us.
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        return subprocess.Popen(words, **pipes, start_new_session=True)
    except (OSError, ValueError) as error:
        raise InputError(f"{name} cannot be started: {error}") from error


def _exchange(process, request, timeout, limit):
    """One line for one line. A kill ends the waiting for either pipe."""
    late = threading.Event()

    def stop():
        late.set()
        _signal(process, signal.SIGKILL)

    timer = threading.Timer(timeout, stop)
    timer.daemon = True
    timer.start()
    try:
        process.stdin.write(request + b"\n")
        process.stdin.flush()
        line = process.stdout.readline(limit + 1)
    except OSError:
        line = b""
    finally:
        timer.cancel()
    if late.is_set():
        raise TimeoutError(f"no answer within {timeout:g} s")
    if not line.endswith(b"\n") and len(line) <= limit:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_PATIENCE)
        raise ConnectionError(f"the command ended with code {process.poll()}")
    return line


def _end(process):
    with contextlib.suppress(OSError):
        process.stdin.close()
    # Once it has been waited for, its number may be that of another program.
    if process.poll() is None:
        _signal(process, signal.SIGTERM)
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            _signal(process, signal.SIGKILL)
            process.wait()
    process.stdout.close()


def _signal(process, number):
    with contextlib.suppress(OSError):
        os.killpg(process.pid, number)
