"""The JSON of `http_classifier`, in which classifiers in other processes are asked."""

import base64
import io
import json
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from mspd_jax.data import encode_png
from mspd_jax.errors import InputError

# The most that is read of an answer: 1,000 images of 1,000 scores need 20 MB.
MOST_BYTES = 64 * 2**20
_ANSWERS = ("labels", "scores", "names")


class Classifier(NamedTuple):
    """A way to a classifier, made by `open_classifier` and the functions it calls.

    Attributes:
      name: what it is, without secrets; for the log of queries.
      ask: images to answers, for `query_access`.
      close: ends what was started; may be called again.
    """

    name: str
    ask: Callable
    close: Callable


def encode_request(images: np.ndarray) -> bytes:
    """One line of JSON for images [B, H, W, C], float32 or uint8."""
    is_png = images.dtype == np.uint8 and images.shape[-1] in (1, 3)
    encode = encode_png if is_png else _encode_npy
    texts = [base64.b64encode(encode(image)).decode("ascii") for image in images]
    request = {"format": "png" if is_png else "npy", "images": texts}
    return json.dumps(request).encode("ascii")


def decode_reply(name: str, data: bytes) -> list:
    """What an answer says, as lists; InputError unless it is one of the protocol."""
    shown = repr(" ".join(data[:200].decode("utf-8", "replace").split())[:80])
    try:
        reply = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{name} answered no JSON but {shown}: accepted is an object with "
            f"one of {', '.join(_ANSWERS)}"
        ) from error
    found = [key for key in _ANSWERS if isinstance(reply, dict) and key in reply]
    if len(found) != 1 or not isinstance(reply[found[0]], list):
        raise InputError(
            f"{name} answered {shown}: accepted is an object with a list under "
            f"one of {', '.join(_ANSWERS)}"
        )
    return reply[found[0]]


def check_timeout(timeout: float) -> None:
    """ValueError unless one can wait for so many seconds."""
    if not 0.0 < timeout < float("inf"):
        raise ValueError(f"timeout must be positive and finite; got {timeout}")


def too_long(name: str, limit: int) -> InputError:
    """The refusal of an answer that is longer than `limit` bytes."""
    return InputError(f"{name} answered more than {limit} bytes: ask for fewer images")


def _encode_npy(image):
    buffer = io.BytesIO()
    np.save(buffer, image, allow_pickle=False)
    return buffer.getvalue()
