"""A server of `mspd studio`, and people who look at its page in a browser."""

import contextlib
import pathlib
import signal
import subprocess
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

from mspd_jax import models
from tests.jobs.pictures import photo, surrogate
from tests.launch import mains

CHROMIUM = pathlib.Path("/usr/bin/chromium")
LONG = 120_000  # milliseconds; programs are compiled first
# No name is looked up, and nobody is asked but this machine.
_ALONE = "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"


class Served(NamedTuple):
    """A page that is served, at this address, by this process."""

    address: str
    process: subprocess.Popen


def save_files(folder: pathlib.Path) -> pathlib.Path:
    """A model, two photographs, of which the second takes long, and no picture."""
    models.save_model(folder / "model", surrogate())
    photo(folder / "sea.png", size=(300, 200))
    photo(folder / "large.png", size=(2400, 2400), seed=1)
    photo(folder / "second" / "sea.png", size=(300, 200), seed=2)
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n not one")
    return folder


@contextlib.contextmanager
def served(files: pathlib.Path, *flags: str) -> Iterator[Served]:
    """A page, on a free port if none is named, that ends well unless it was killed."""
    pytest.importorskip("gradio", reason="needs .[studio]")
    server = mains.start("studio", f"--surrogate={files / 'model'}", *flags)
    try:
        said = server.stdout.readline()
        assert "the page is at http://127.0.0.1:" in said, server.stderr.read()
        yield Served(said.split()[4].rstrip("/"), server)
    finally:
        killed = server.poll() is not None
        server.send_signal(signal.SIGTERM)
        said, _ = server.communicate(timeout=60)
    assert killed or (server.returncode == 0 and said == "the page is closed\n")


@contextlib.contextmanager
def chromium() -> Iterator[Any]:
    """A browser that reaches this machine alone."""
    sync = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    if not CHROMIUM.exists():
        pytest.skip(f"needs {CHROMIUM}")
    with sync.sync_playwright() as playwright:
        yield playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox", _ALONE]
        )


@contextlib.contextmanager
def visits(
    browser: Any, address: str, *, cut: bool = False
) -> Iterator[Callable[[], Any]]:
    """Opens pages, each as a person of its own; nothing of them may go elsewhere.

    cut: whether the server will be out of reach, with what it has not sent yet.
    """
    elsewhere, errors = [], []

    def only_here(route):
        parts = urllib.parse.urlsplit(route.request.url)
        if parts.scheme in ("data", "blob") or parts.hostname == "127.0.0.1":
            route.continue_()
        else:
            elsewhere.append(route.request.url)
            route.abort()

    def failed(error):
        if not (cut and "Unable to preload" in str(error)):
            errors.append(str(error))

    def opened():
        page = people.enter_context(browser.new_context()).new_page()
        page.set_default_timeout(LONG)
        page.route("**/*", only_here)
        page.on("pageerror", failed)
        page.goto(address)
        page.wait_for_selector("#protect")
        return page

    with contextlib.ExitStack() as people:
        yield opened
    assert not elsewhere and not errors, (elsewhere, errors)


def drop(page: Any, *paths: pathlib.Path) -> None:
    """Drops files, and waits until they are uploaded."""
    page.set_input_files("input[type=file]", [str(path) for path in paths])
    for path in paths:
        name = path.name.rpartition(".")[0]
        page.wait_for_selector(f".file-preview :text('{name}')")


def wait_for(page: Any, words: str) -> None:
    """Waits until the page says this of its request."""
    page.wait_for_function(
        "words => document.querySelector('#status').innerText.includes(words)",
        arg=words,
    )
