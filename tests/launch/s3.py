"""An S3 server on loopback (moto) that can be in trouble, or gone for a while."""

import collections
import contextlib
import hashlib
import json
import threading
import time
import urllib.request

import pytest

from mspd_jax import paths

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "somebody",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}
BUCKET = paths.as_path("s3://bucket")
_REFUSALS = {
    403: ("403 Forbidden", "AccessDenied"),
    500: ("500 Internal Server Error", "InternalError"),
    503: ("503 Service Unavailable", "SlowDown"),
}


class Server:
    """trouble: (method, path) of a request -> the status to refuse it with, or None.
    refused: how many were, with each status. written: how often, each path."""

    def __init__(self):
        from moto.moto_server.werkzeug_app import (
            DomainDispatcherApplication,
            create_backend_app,
        )

        self._moto = DomainDispatcherApplication(create_backend_app)
        self.trouble = lambda method, path: None
        self.refused, self.written = collections.Counter(), collections.Counter()
        self.port = 0
        self.start()

    def start(self):
        """Listens, on the same port as before if there was one."""
        from werkzeug.serving import WSGIRequestHandler, make_server

        class Quiet(WSGIRequestHandler):
            def log(self, *args):
                pass

        self._server = make_server(
            "127.0.0.1", self.port, self._answer, threaded=True, request_handler=Quiet
        )
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self):
        """Is gone: nobody listens."""
        self._server.shutdown()
        self._server.server_close()

    @contextlib.contextmanager
    def in_trouble(self, trouble):
        """Refuses as `trouble` says, for a while."""
        self.trouble = trouble
        try:
            yield
        finally:
            self.trouble = lambda method, path: None

    def _answer(self, environ, start_response):
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        status = self.trouble(method, path)
        if status is None:
            self.written[path] += method == "PUT"
            return self._moto(environ, start_response)
        self.refused[status] += 1
        line, code = _REFUSALS[status]
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        body = f"<Error><Code>{code}</Code><Message>{line}</Message></Error>".encode()
        body = b"" if method == "HEAD" else body
        kind = ("Content-Type", "application/xml")
        start_response(line, [kind, ("Content-Length", str(len(body)))])
        return [body]


@contextlib.contextmanager
def serving():
    """A server, and the environment that leads to it; an empty bucket `bucket`."""
    pytest.importorskip("moto", reason="needs moto: pip install 'moto[s3,server]'")
    pytest.importorskip("s3fs", reason="needs s3fs: pip install 'mspd_jax[s3]'")
    import s3fs

    server = Server()
    address = f"http://127.0.0.1:{server.port}"
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (ENVIRONMENT | {"AWS_ENDPOINT_URL": address}).items():
            patch.setenv(name, value)
        s3fs.S3FileSystem.clear_instance_cache()
        # All servers of a process share what they hold.
        reset = urllib.request.Request(f"{address}/moto-api/reset", method="POST")
        urllib.request.urlopen(reset).close()
        s3fs.S3FileSystem().mkdir("bucket")
        try:
            yield server
        finally:
            s3fs.S3FileSystem.clear_instance_cache()
            server.stop()


@pytest.fixture(scope="module")
def server():
    """The server of a file of tests."""
    with serving() as running:
        yield running


def wait_for(condition, process, seconds=120):
    """Waits until a condition holds, while a process runs."""
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()[1][-3000:]
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.02)


def finish(process, code=0):
    _, err = process.communicate(timeout=300)
    assert process.returncode == code, err[-3000:]
    return err


def content(folder, skip=()):
    """All files below a folder by name, but for what is never the same."""
    if paths.is_store(folder):
        found = paths.files_below(folder)
    else:
        found = [p for p in folder.rglob("*") if p.is_file()]
    names = {p.relative_to(folder).as_posix(): p for p in found}
    kept = {n: p for n, p in names.items() if not n.startswith(tuple(skip))}
    return {name: paths.read_bytes(path) for name, path in sorted(kept.items())}


SEALS = ("MANIFEST.json", "_SUCCESS")
TIMED = ("run.json", "summary.json", "metrics.jsonl")


def assert_same(local, store, skip=()):
    here = content(local, (*TIMED, *skip))
    there = content(store, (*TIMED, *SEALS, *skip))
    assert here and here == there
    assert totals(local) == totals(store)
    assert_sealed(store)


def totals(folder):
    """What a run comes to, but for the time it took."""
    timed = ("seconds", "images_per_second", "images_computed", "runs")
    timed += ("compile_seconds",)
    found = json.loads(paths.read_text(folder / "summary.json"))
    return {name: value for name, value in found.items() if name not in timed}


def assert_sealed(store):
    """The manifest is true, and nothing but what it lists is there."""
    files = json.loads(paths.read_text(store / "MANIFEST.json"))["files"]
    assert paths.read_bytes(store / "_SUCCESS") == b""
    found = content(store, SEALS)
    assert files.keys() == found.keys()
    for name, entry in files.items():
        assert entry["sha256"] == hashlib.sha256(found[name]).hexdigest()
