"""Asking a classifier: batches, 8 bits, retries, pace."""

import email.message
import email.utils
import time
import urllib.error

import numpy as np
from absl.testing import parameterized

from mspd_jax.errors import InputError
from mspd_jax.query import answer, query_access
from mspd_jax.query._access import to_levels

IMAGES = np.random.default_rng(0).uniform(-0.3, 1.3, (7, 2, 3, 1)).astype(np.float32)


def brightness(images):
    """Four classes by the sum of the pixels."""
    total = images.astype(np.float64).sum(axis=(1, 2, 3))
    return np.floor(total).astype(np.int64) % 4


def http_error(code, **headers):
    message = email.message.Message()
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    return urllib.error.HTTPError("http://x", code, "reason", message, None)


class Clock:
    """Time that passes while somebody sleeps."""

    def __init__(self):
        self.time, self.slept = 100.0, []

    def now(self):
        return self.time

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.time += seconds


def access_of(ask, clock=None, **options):
    clock = clock or Clock()
    options = {"name": "test", "num_classes": 4, "batch_size": 3} | options
    return query_access(ask, now=clock.now, sleep=clock.sleep, **options)


def failing(*failures):
    """A classifier whose first answers are exceptions (None: a good one)."""
    left = list(failures)

    def ask(images):
        failure = left.pop(0) if left else None
        if failure is not None:
            raise failure
        return brightness(images)

    return ask


class AnswerTest(parameterized.TestCase):
    @parameterized.parameters(1, 3, 7, 100)
    def test_batches(self, batch_size):
        sizes = []

        def ask(images):
            sizes.append(len(images))
            self.assertEqual(images.dtype, np.float32)
            labels = brightness(images)
            images[:] = 0  # its own copy
            return labels

        access = access_of(ask, batch_size=batch_size)
        before = IMAGES.copy()
        np.testing.assert_array_equal(answer(access, IMAGES), brightness(IMAGES))
        np.testing.assert_array_equal(IMAGES, before)
        self.assertEqual(sum(sizes), 7)
        self.assertLen(sizes, -(-7 // batch_size))
        self.assertLessEqual(max(sizes), batch_size)
        self.assertEqual((access.spent["images"], access.spent["answered"]), (7, 7))
        self.assertEqual(answer(access, IMAGES[:0]).shape, (0,))

    def test_eight_bit(self):
        given = []
        access = access_of(
            lambda images: given.append(images) or brightness(images), eight_bit=True
        )
        answer(access, IMAGES)
        given = np.concatenate(given)
        self.assertEqual(given.dtype, np.uint8)
        distance = np.abs(given / 255.0 - np.clip(IMAGES, 0, 1))
        self.assertLessEqual(distance.max(), 0.5 / 255 + 1e-7)
        edges = np.array([np.nan, -np.inf, np.inf, -1, 2, 254.6 / 255], np.float32)
        np.testing.assert_array_equal(to_levels(edges), [0, 0, 255, 0, 255, 255])

    @parameterized.parameters(
        ({"num_classes": 1}, "num_classes must be an integer of at least 2; got 1"),
        ({"batch_size": 0}, "batch_size must be"),
        ({"retries": -1}, "retries must be"),
        ({"wait": float("nan")}, "wait must be finite"),
        ({"rate": 0.0}, "rate must be None or positive"),
        ({"class_names": ["a", "a", "b", "c"]}, "class_names must be 4 different"),
        ({"class_names": ["a"]}, "class_names must be 4 different"),
    )
    def test_bad_arguments(self, options, message):
        with self.assertRaisesRegex(ValueError, message):
            access_of(brightness, **options)
        with self.assertRaisesRegex(ValueError, "ask must be callable"):
            access_of("http://host")
        with self.assertRaisesRegex(ValueError, r"images must be \[N, H, W, C\]"):
            answer(access_of(brightness), IMAGES[0])


class RetryTest(parameterized.TestCase):
    @parameterized.parameters(
        ((ConnectionResetError("x"), TimeoutError("y")), [1.0, 2.0]),
        ((http_error(500), http_error(503), http_error(429)), [1.0, 2.0, 4.0]),
        ((http_error(429, Retry_After="7"), http_error(500)), [7.0, 2.0]),
        ((http_error(503, Retry_After="0"), http_error(408)), [1.0, 2.0]),
        ((http_error(503, Retry_After="soon"),), [1.0]),
        ((None, TimeoutError(), None, TimeoutError()), [1.0, 1.0]),
    )
    def test_what_may_pass_is_asked_again(self, failures, waits):
        clock = Clock()
        access = access_of(failing(*failures), clock)
        np.testing.assert_array_equal(answer(access, IMAGES), brightness(IMAGES))
        self.assertEqual(clock.slept, waits)
        self.assertEqual(access.spent["requests"], 3 + len(waits))

    def test_retry_after_as_a_date(self):
        clock = Clock()
        date = email.utils.formatdate(time.time() + 50, usegmt=True)
        answer(access_of(failing(http_error(503, Retry_After=date)), clock), IMAGES)
        self.assertBetween(clock.slept[0], 45, 50)

    def test_waits_are_bounded(self):
        clock = Clock()
        failures = [TimeoutError() for _ in range(6)]
        answer(access_of(failing(*failures), clock, retries=6, longest_wait=5), IMAGES)
        self.assertEqual(clock.slept, [1, 2, 4, 5, 5, 5])
        late = failing(http_error(429, Retry_After="86400"))
        with self.assertRaisesRegex(InputError, "asks to wait 86400 s; 0 images were"):
            answer(access_of(late), IMAGES)

    def test_gives_up_after_the_last_retry(self):
        ask = failing(None, *[ConnectionError("no route") for _ in range(9)])
        access = access_of(ask, retries=2)
        with self.assertRaisesRegex(
            InputError, r"test gave no answer after 3 tries \(no route\); 3 images were"
        ):
            answer(access, IMAGES)
        self.assertEqual(access.spent["requests"], 1 + 3)

    @parameterized.parameters(
        (http_error(404), InputError, "test refused: HTTP Error 404: reason"),
        (http_error(302), InputError, "refused"),
        (ZeroDivisionError("own bug"), ZeroDivisionError, "own bug"),
    )
    def test_what_cannot_pass_is_asked_once(self, failure, kind, message):
        clock = Clock()
        access = access_of(failing(failure), clock)
        with self.assertRaisesRegex(kind, message):
            answer(access, IMAGES)
        self.assertEqual((access.spent["requests"], clock.slept), (1, []))

    def test_other_exceptions_may_be_named(self):
        access = access_of(failing(KeyError("a")), passing=(KeyError,))
        np.testing.assert_array_equal(answer(access, IMAGES), brightness(IMAGES))

    def test_no_answer_is_a_mistake_at_once(self):
        access = access_of(lambda images: [0])
        with self.assertRaisesRegex(InputError, "to 3 images: accepted are"):
            answer(access, IMAGES)
        self.assertEqual(access.spent["requests"], 1)


class PaceTest(parameterized.TestCase):
    def test_rate_counts_images_and_retries(self):
        clock, sent = Clock(), []

        def ask(images):
            sent.append(clock.time)
            clock.time += 0.1  # an answer takes time, which the pace counts in
            if len(sent) == 2:
                raise TimeoutError
            return brightness(images)

        access = access_of(ask, clock, rate=2.0, wait=0.0)
        answer(access, IMAGES)
        # 3, 3 (fails), 3, 1 images at two a second, and then one second for the last.
        np.testing.assert_allclose(sent, [100, 101.5, 103, 104.5])
        answer(access, IMAGES[:1])
        np.testing.assert_allclose(sent[-1], 105.0)
        # An idle hour is not saved up.
        clock.time = 4000.0
        answer(access, IMAGES)
        np.testing.assert_allclose(sent[-3:], [4000, 4001.5, 4003])
