"""A classifier behind an HTTP address, with nothing but the standard library."""

import hashlib
import http.client
import os
import time
import urllib.error
import urllib.parse
import urllib.request

from mspd_jax.errors import InputError
from mspd_jax.query import _protocol
from mspd_jax.query._protocol import MOST_BYTES, Classifier


def http_classifier(
    url: str,
    *,
    timeout: float = 30.0,
    headers: dict[str, str] | None = None,
    token_variable: str | None = None,
    limit: int = MOST_BYTES,
) -> Classifier:
    """The classifier that answers POST requests at an http or https address.

        request  {"format": "png" | "npy", "images": [base64 of a file, ...]}
        answer   {"labels": [3, ...]} or {"scores": [[0.1, ...], ...]}
                 or {"names": ["cat", ...]}, one for each image, in order

    8-bit images, gray or RGB, are PNG files, all others NumPy's .npy files [H, W, C],
    float32 or uint8. null for a label or a name says "no class".

    timeout: seconds for a whole answer. headers: sent with each request.
    token_variable: an environment variable whose content is sent as
    "Authorization: Bearer ..."; it enters no name, message or log. limit: bytes of an
    answer. Redirections are not followed: a token or an image goes to no other place.
    Status codes raise `urllib.error.HTTPError`, connections that fail ConnectionError,
    late answers TimeoutError; see `query_access` for which of them may pass.
    """
    name = _checked_name(url)
    _protocol.check_timeout(timeout)
    kind = "application/json"
    headers = {"Content-Type": kind, "Accept": kind, **(headers or {})}
    token = None if token_variable is None else _token(token_variable)
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    opener = _opener()

    def ask(images):
        content = _protocol.encode_request(images)
        request = urllib.request.Request(url, content, headers, method="POST")
        reply = _post(opener, request, name, timeout, limit, token)
        return _protocol.decode_reply(name, reply)

    return Classifier(name, ask, lambda: None)


def _post(opener, request, name, timeout, limit, token):
    deadline = time.monotonic() + timeout
    try:
        with opener.open(request, timeout=timeout) as response:
            return _read(response, name, deadline, limit)
    except urllib.error.HTTPError as error:
        raise _explained(error, token) from None
    except urllib.error.URLError as error:
        reason = error.reason
        if isinstance(reason, TimeoutError):
            raise TimeoutError(f"no connection within {timeout:g} s") from error
        if type(reason).__name__ == "SSLCertVerificationError":
            raise InputError(f"{name}: certificate refused: {reason}") from error
        raise ConnectionError(str(reason)) from error


def _read(response, name, deadline, limit):
    """The body; a server that sends a byte now and then cannot stretch the time."""
    parts, total = [], 0
    while part := response.read1(2**16):
        parts.append(part)
        total += len(part)
        if total > limit:
            raise _protocol.too_long(name, limit)
        if time.monotonic() > deadline:
            raise TimeoutError("the answer was not complete in time")
    if response.length:  # `read1` ends in silence where the connection does
        raise ConnectionError("the connection ended in the middle of an answer")
    return b"".join(parts)


def _explained(error, token):
    """The same error, whose message holds the start of what the server says."""
    try:
        body = error.read(2**12).decode("utf-8", "replace")
    except (OSError, ValueError, http.client.HTTPException):
        body = ""
    error.close()
    location = error.headers.get("Location")
    if location and 300 <= error.code < 400:
        body = f"redirects to {location}; redirections are not followed"
    if token is not None:
        body = body.replace(token, "***")
    error.msg = " ".join(f"{error.msg} {body}".split())[:200]
    return error


def _opener():
    # Put together by hand: no other schemes (files, FTP) and no redirections, which
    # would carry the headers on to any address.
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener


def _checked_name(url):
    """The address, with a digest for its query, which may hold a secret or a model."""
    try:
        parts = urllib.parse.urlsplit(url)
        valid = parts.scheme in ("http", "https") and parts.hostname
        _ = parts.port  # ValueError unless a number
    except ValueError:
        valid = False
    if not valid or not all("!" <= character <= "~" for character in url):
        raise InputError(f"{url!r} is no address: accepted is http(s)://host[:port]/..")
    if parts.username is not None:
        raise InputError(
            f"the address of {parts.hostname} holds a user name: put a token into an "
            "environment variable and name that"
        )
    mark = hashlib.sha256(parts.query.encode()).hexdigest()[:8]
    query = f"?sha256={mark}" if parts.query else ""
    return f"{parts.scheme}://{parts.netloc}{parts.path}{query}"


def _token(variable):
    token = os.environ.get(variable, "").strip()
    if not token:
        raise InputError(f"the environment variable {variable} holds no token")
    if not all("!" <= character <= "~" for character in token):
        raise InputError(
            f"the token in the environment variable {variable} must be printable ASCII "
            "without spaces"
        )
    return token
