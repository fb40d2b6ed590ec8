"""Asking a classifier that is only an answer to a question: batches, pace, retries."""

import email.utils
import http.client
import time
import urllib.error
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from mspd_jax.errors import InputError
from mspd_jax.query._reply import read_labels

# What a server says when it may answer later: not in time, too early, too many.
_PASSING_STATUS = (408, 425, 429)
_PASSING = (ConnectionError, TimeoutError, http.client.HTTPException)


class Access(NamedTuple):
    """A classifier and how it is asked: the arguments of `query_access`.

    passing: all exceptions that may pass. spent: counts so far: `requests` and `images`
    sent, failures included, images `answered`, and `due`, when the next may be sent.
    """

    name: str
    ask: Callable | None
    num_classes: int
    batch_size: int
    eight_bit: bool
    class_names: tuple[str, ...] | None
    retries: int
    wait: float
    longest_wait: float
    rate: float | None
    passing: tuple[type[Exception], ...]
    now: Callable[[], float]
    sleep: Callable[[float], None]
    spent: dict


def query_access(
    ask: Callable | None,
    *,
    name: str,
    num_classes: int,
    batch_size: int = 32,
    eight_bit: bool = False,
    class_names: Sequence[str] | None = None,
    retries: int = 5,
    wait: float = 1.0,
    longest_wait: float = 600.0,
    rate: float | None = None,
    passing: tuple[type[Exception], ...] = (),
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Access:
    """The classifier `ask`, asked in batches, again after failures, at a bounded pace.

    The classifier that is certified is this function, rounding included: it must be a
    function of the image alone, not of its batch mates, and the same in each call.

        access = query_access(ask, name="my model", num_classes=10, batch_size=64)
        labels = answer(access, images)

    A failure may pass if it is a connection error, a timeout, an exception out of
    `passing`, or an HTTP error (`urllib.error.HTTPError`) with status 408, 425, 429 or
    5xx. Another try follows, `retries` times, after `wait`, 2 wait, 4 wait ... seconds,
    or what Retry-After says, `longest_wait` at most. Any other exception goes through.

    Args:
      ask: a batch of images to one answer for each: integer labels [B], scores [B, K]
        (the largest decides), or a list of B names out of `class_names`. Images are
        NumPy arrays [B, H, W, C] of its own, float32, in [0, 1] but for noise, or uint8
        with `eight_bit`. None: nothing can be asked.
      name: what it is; answers that a log holds under another name are not used.
      num_classes: K; labels are 0..K-1.
      batch_size: the most images of one query.
      eight_bit: round images to 256 levels.
      class_names: K names in the order of the labels, where it answers with names.
      retries, wait, longest_wait, passing: as above.
      rate: the most images a second, retries included; None for no limit.
      now, sleep: the clock, in seconds.

    Returns:
      Access. Raises ValueError if an argument cannot be used.
    """
    for argument, value, least in (
        ("num_classes", num_classes, 2),
        ("batch_size", batch_size, 1),
        ("retries", retries, 0),
    ):
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise ValueError(
                f"{argument} must be an integer of at least {least}; got {value!r}"
            )
    for argument, pause in (("wait", wait), ("longest_wait", longest_wait)):
        if not 0.0 <= pause < float("inf"):
            raise ValueError(f"{argument} must be finite and >= 0; got {pause}")
    if rate is not None and not 0.0 < rate < float("inf"):
        raise ValueError(f"rate must be None or positive and finite; got {rate}")
    if class_names is not None:
        class_names = tuple(class_names)
        if len(set(class_names)) != len(class_names) or len(class_names) != num_classes:
            raise ValueError(
                f"class_names must be {num_classes} different names; got {class_names}"
            )
    if ask is not None and not callable(ask):
        raise ValueError(f"ask must be callable or None; got {ask!r}")
    spent = {"requests": 0, "images": 0, "answered": 0, "due": float("-inf")}
    return Access(
        name=name,
        ask=ask,
        num_classes=num_classes,
        batch_size=batch_size,
        eight_bit=bool(eight_bit),
        class_names=class_names,
        retries=retries,
        wait=wait,
        longest_wait=longest_wait,
        rate=rate,
        passing=_PASSING + tuple(passing),
        now=now,
        sleep=sleep,
        spent=spent,
    )


def answer(access: Access, images: ArrayLike) -> np.ndarray:
    """Labels int32 [N] of images [N, H, W, C], -1 where the classifier named no class.

    Raises InputError where it refuses, answers what is no answer, or fails to the last
    retry.
    """
    images = np.asarray(images)
    if images.ndim != 4:
        raise ValueError(f"images must be [N, H, W, C]; got {list(images.shape)}")
    labels = np.zeros(len(images), np.int32)
    for start in range(0, len(images), access.batch_size):
        query = slice(start, start + access.batch_size)
        labels[query] = _answer_one(access, images[query])
    return labels


def to_levels(images: np.ndarray) -> np.ndarray:
    """uint8 images of 256 levels: round(255 clip(x, 0, 1)); NaN is black."""
    levels = np.rint(255.0 * np.clip(np.nan_to_num(images, nan=0.0), 0.0, 1.0))
    return levels.astype(np.uint8)


def _answer_one(access, batch):
    if access.ask is None:
        raise InputError(f"{access.name}: offline, so that nothing can be asked")
    count, spent = len(batch), access.spent
    for attempt in range(access.retries + 1):
        if access.rate is not None:  # B images occupy B / rate seconds, whatever comes
            moment = access.now()
            if spent["due"] > moment:
                access.sleep(spent["due"] - moment)
            spent["due"] = max(moment, spent["due"]) + count / access.rate
        spent["requests"] += 1
        spent["images"] += count
        # The callable may write into what it gets.
        shown = to_levels(batch) if access.eight_bit else np.array(batch, np.float32)
        try:
            reply = access.ask(shown)
        except urllib.error.HTTPError as error:
            if error.code not in _PASSING_STATUS and error.code < 500:
                raise InputError(f"{access.name} refused: {_reason(error)}") from error
            failure = error
        except access.passing as error:
            failure = error
        else:
            labels = read_labels(reply, count, access.num_classes, access.class_names)
            spent["answered"] += count
            return labels
        if attempt < access.retries:
            access.sleep(_pause(access, failure, attempt))
    raise _gave_up(access, f"{attempt + 1} tries ({_reason(failure)})") from failure


def _pause(access, failure, attempt):
    backoff = min(access.wait * 2.0**attempt, access.longest_wait)
    asked = _retry_after(failure)
    if asked is not None and asked > access.longest_wait:
        # Asking sooner would be refused again, and may be counted against the user.
        raise _gave_up(access, f"a try: it asks to wait {asked:.0f} s") from failure
    return backoff if asked is None else max(backoff, asked)


def _retry_after(failure):
    """Seconds that an HTTP error asks to wait, or None. Both forms of RFC 9110."""
    headers = getattr(failure, "headers", None)
    text = headers.get("Retry-After") if headers is not None else None
    if text is None:
        return None
    if text.strip().isascii() and text.strip().isdigit():
        return float(text)
    try:
        moment = email.utils.parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None
    return max(0.0, moment - time.time())


def _gave_up(access, after):
    answered = access.spent["answered"]
    return InputError(
        f"{access.name} gave no answer after {after}; {answered} images were answered "
        "before: with a log of queries the same command goes on from there"
    )


def _reason(failure):
    text = " ".join(str(failure).split())[:300]
    return text or type(failure).__name__
