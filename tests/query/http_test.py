"""A classifier behind a real HTTP server on the loopback, with faults."""

import base64
import http.server
import io
import json
import os
import threading
import time
from unittest import mock

import numpy as np
from absl.testing import parameterized
from PIL import Image

from mspd_jax.errors import InputError
from mspd_jax.query import answer, http_classifier, query_access

IMAGES = np.random.default_rng(0).uniform(-0.3, 1.3, (7, 2, 3, 3)).astype(np.float32)


def classes_of(images):
    return (images.astype(np.float64).sum(axis=(1, 2, 3)) // 0.5).astype(int) % 4


def images_of(request):
    """A server's own reading of the protocol."""
    files = [io.BytesIO(base64.b64decode(text)) for text in request["images"]]
    if request["format"] == "png":
        return np.stack([np.asarray(Image.open(file)) / 255 for file in files])
    return np.stack([np.load(file, allow_pickle=False) for file in files])


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers, or does what the next fault of its server says."""

    def do_POST(self):  # noqa: N802
        body = self.rfile.read(int(self.headers["Content-Length"]))
        server = self.server
        server.seen.append((self.path, dict(self.headers), json.loads(body)))
        fault = server.faults.pop(0) if server.faults else None
        if fault is not None:
            fault(self)
            return
        images = images_of(json.loads(body))
        server.sizes.append(len(images))
        self.say({"labels": classes_of(images).tolist()})

    def say(self, reply, code=200, length=None, **headers):
        data = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(length or len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args):
        pass


def says(reply, **options):
    return lambda handler: handler.say(reply, **options)


def drops(handler):
    handler.close_connection = True
    handler.connection.shutdown(2)


def dawdles(handler):
    time.sleep(0.6)


def drips(handler):
    """A byte now and then: each in time, the whole not."""
    reply = b'{"labels":[1,1,1]}'
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(reply)))
    handler.end_headers()
    try:
        for byte in reply:
            handler.wfile.write(bytes([byte]))
            handler.wfile.flush()
            time.sleep(0.05)
    except OSError:
        pass


class HttpTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        environment = {"no_proxy": "127.0.0.1", "TOKEN": "secret-1"}
        self.enterContext(mock.patch.dict(os.environ, environment))
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads, server.handle_error = True, lambda *args: None
        server.seen, server.sizes, server.faults = [], [], []
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.server = server
        self.url = f"http://127.0.0.1:{server.server_address[1]}/classify"
        self.slept = []

    def access(self, *faults, http=None, **options):
        self.server.faults = list(faults)
        classifier = http_classifier(self.url, **({"timeout": 0.4} | (http or {})))
        options = {"num_classes": 4, "batch_size": 3} | options
        return query_access(
            classifier.ask, name=classifier.name, sleep=self.slept.append, **options
        )

    def test_float_and_eight_bit_images(self):
        got = answer(self.access(), IMAGES)
        np.testing.assert_array_equal(got, classes_of(IMAGES))
        self.assertEqual(self.server.sizes, [3, 3, 1])
        self.assertEqual(self.server.seen[0][0], "/classify")
        levels = np.rint(255 * np.clip(IMAGES, 0, 1)) / 255
        got = answer(self.access(eight_bit=True), IMAGES)
        np.testing.assert_array_equal(got, classes_of(levels))
        formats = [request["format"] for _, _, request in self.server.seen]
        self.assertEqual(formats, ["npy"] * 3 + ["png"] * 3)

    @parameterized.parameters(
        ({"scores": [[0, 1, 0, 0], [float("nan")] * 4, [0.1, 0, 0, 3]]}, [1, -1, 3]),
        ({"names": ["b", "zebra", None]}, [1, -1, -1]),
        ({"labels": [3, 17, None], "model": "v1"}, [3, -1, -1]),
    )
    def test_kinds_of_answers(self, reply, want):
        access = self.access(says(reply), class_names="abcd")
        np.testing.assert_array_equal(answer(access, IMAGES[:3]), want)

    def test_faults_that_pass(self):
        faults = [
            says({}, code=500),
            says({}, code=429, Retry_After="9"),
            drops,
            says({"labels": [1, 2, 3]}, length=500),
            None,
            dawdles,
            drips,
        ]
        access = self.access(*faults)
        np.testing.assert_array_equal(answer(access, IMAGES), classes_of(IMAGES))
        self.assertEqual(self.slept, [1, 9, 4, 8, 1, 2])
        self.assertLen(self.server.seen, 3 + 6)
        self.assertEqual(access.spent["requests"], 3 + 6)
        self.assertEqual(access.spent["images"], 7 + 4 * 3 + 2 * 3)

    @parameterized.parameters(
        (says(b"no such model\nhere", code=404), "refused: .*404.*no such model here$"),
        (says(b"", code=302, Location="http://x/"), "redirects to http://x/"),
        (says(b"<html>"), "answered no JSON but '<html>'"),
        (says(b"[" * 100_000), "answered no JSON"),
        (says([1, 2, 3]), "accepted is an object with a list under one of labels"),
        (says({"label": 3}), "accepted is an object"),
        (says({"labels": 3}), "accepted is an object"),
        (says({"labels": [1], "scores": [[1]]}), "accepted is an object"),
        (says({"labels": [1, 2]}), r"answered int64 \[2\] to 3 images"),
        (says({"names": ["a", "b", "c"]}), "no names of classes were given"),
        (says(b" " * 200_001), "answered more than 200000 bytes"),
    )
    def test_faults_that_do_not_pass(self, fault, message):
        access = self.access(None, fault, http={"limit": 200_000})
        with self.assertRaisesRegex(InputError, message) as caught:
            answer(access, IMAGES)
        self.assertLen(self.server.seen, 2)  # asked once
        self.assertNotIn("\n", str(caught.exception))

    def test_gives_up(self):
        access = self.access(None, *[says(b"busy", code=503)] * 9, retries=2)
        with self.assertRaisesRegex(
            InputError, "no answer after 3 tries .*503.*busy.*; 3 images were answered"
        ):
            answer(access, IMAGES)
        self.assertLen(self.server.seen, 4)

    def test_nobody_listens(self):
        closed = http_classifier("http://127.0.0.1:1/")
        access = query_access(
            closed.ask, name="x", num_classes=4, retries=1, sleep=self.slept.append
        )
        with self.assertRaisesRegex(InputError, "after 2 tries .*refused"):
            answer(access, IMAGES)

    def test_token(self):
        fault = says(b"bad token secret-1", code=401)
        access = self.access(None, fault, http={"token_variable": "TOKEN"})
        with self.assertRaisesRegex(InputError, "401") as caught:
            answer(access, IMAGES)
        headers = self.server.seen[0][1]
        self.assertEqual(headers["Authorization"], "Bearer secret-1")
        self.assertNotIn("secret-1", str(caught.exception) + access.name)
        self.assertIn("bad token ***", str(caught.exception))

    @parameterized.parameters("", "two words", "caf\u00e9", "a\nInjected: b")
    def test_bad_token(self, token):
        with (
            mock.patch.dict(os.environ, {"TOKEN": token}),
            self.assertRaisesRegex(InputError, "environment variable TOKEN") as caught,
        ):
            http_classifier(self.url, token_variable="TOKEN")
        if token:
            self.assertNotIn(token, str(caught.exception))

    @parameterized.parameters(
        "file:///etc/passwd", "ftp://host/x", "http://", "http://host:x/", "http://a b/"
    )
    def test_bad_address(self, url):
        with self.assertRaisesRegex(InputError, "is no address"):
            http_classifier(url)

    def test_names_hold_no_secrets(self):
        with self.assertRaisesRegex(InputError, "holds a user name") as caught:
            http_classifier("http://me:secret@host/")
        self.assertNotIn("secret", str(caught.exception))
        one, other = (
            http_classifier(f"https://host/a?key={x}").name for x in ("secret", "other")
        )
        self.assertNotIn("secret", one)
        self.assertNotEqual(one, other)
        with self.assertRaisesRegex(ValueError, "timeout must be positive"):
            http_classifier("http://host/", timeout=0)
