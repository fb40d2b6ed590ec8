"""The page of `mspd studio` in a browser, and what the server refuses without one."""

import contextlib
import http.client
import io
import json
import pathlib
import signal
import urllib.parse
import zipfile

import pytest

from mspd_jax import models
from tests.jobs.pictures import photo, surrogate
from tests.launch import mains

pytestmark = pytest.mark.browser
CHROMIUM = pathlib.Path("/usr/bin/chromium")
LONG = 120_000  # milliseconds; programs are compiled first


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A model, two photographs, of which the second takes long, and no picture."""
    folder = tmp_path_factory.mktemp("files")
    models.save_model(folder / "model", surrogate())
    photo(folder / "sea.png", size=(300, 200))
    photo(folder / "large.png", size=(2400, 2400), seed=1)
    photo(folder / "second" / "sea.png", size=(300, 200), seed=2)
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n not one")
    return folder


@pytest.fixture(scope="module")
def address(files):
    """Of a page that is served on a free port, until the tests are over."""
    pytest.importorskip("gradio", reason="needs .[studio]")
    server = mains.start(
        "studio", "--port=0", f"--surrogate={files / 'model'}", "--max_megabytes=20"
    )
    try:
        said = server.stdout.readline()
        assert "the page is at http://127.0.0.1:" in said, server.stderr.read()
        yield said.split()[4].rstrip("/")
    finally:
        server.send_signal(signal.SIGTERM)
        said, _ = server.communicate(timeout=60)
    assert server.returncode == 0 and said == "the page is closed\n"


@pytest.fixture(scope="module")
def browser():
    sync = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    if not CHROMIUM.exists():
        pytest.skip(f"needs {CHROMIUM}")
    with sync.sync_playwright() as playwright:
        options = {"executable_path": str(CHROMIUM), "args": ["--no-sandbox"]}
        yield playwright.chromium.launch(**options)


@pytest.fixture
def visit(browser, address):
    """Opens a page as a person of its own; nothing of it may go elsewhere."""
    elsewhere, errors = [], []

    def only_here(route):
        parts = urllib.parse.urlsplit(route.request.url)
        if parts.scheme in ("data", "blob") or parts.hostname == "127.0.0.1":
            route.continue_()
        else:
            elsewhere.append(route.request.url)
            route.abort()

    def opened():
        page = people.enter_context(browser.new_context()).new_page()
        page.set_default_timeout(LONG)
        page.route("**/*", only_here)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(address)
        page.wait_for_selector("#protect")
        return page

    with contextlib.ExitStack() as people:
        yield opened
    assert not elsewhere and not errors


def drop(page, *paths):
    page.set_input_files("input[type=file]", [str(path) for path in paths])
    for path in paths:
        name = path.name.rpartition(".")[0]
        page.wait_for_selector(f".file-preview :text('{name}')")


def wait_for(page, words):
    page.wait_for_function(
        "words => document.querySelector('#status').innerText.includes(words)",
        arg=words,
    )


def test_a_photo_is_protected_and_what_is_none_is_named(visit, files):
    page = visit()
    page.click("#protect")
    wait_for(page, "Drop at least one photo")
    page.click("text=More")
    drop(page, files / "sea.png", files / "broken.png")
    page.get_by_label("Samples").fill("0")
    page.click("#protect")
    wait_for(page, "`samples`=0: expected a whole number of at least 1")
    page.get_by_label("Samples").fill("")
    page.click("#protect")
    wait_for(page, "1 picture is protected. 1 file was left out.")
    page.wait_for_selector("#slider img")
    proof = page.inner_text("#proof")
    assert "sea.png" in proof and "300 x 200" in proof and "of 5 views before" in proof
    refused = page.inner_text("#refused")
    assert "broken.png" in refused and "cannot be read" in refused
    page.click("text=The difference, ten times as large")
    page.wait_for_selector("#difference img")
    with page.expect_download() as download:
        page.click("#bundle")
    content = pathlib.Path(download.value.path()).read_bytes()
    with zipfile.ZipFile(io.BytesIO(content)) as bundle:
        assert bundle.namelist() == ["sea.png"]
    drop(page, files / "second" / "sea.png")
    page.click("#protect")
    wait_for(page, "2 pictures are protected")
    assert "sea (2).png" in page.inner_text("#proof")


def test_two_wait_in_line_and_the_first_can_cancel(visit, files):
    first, second = visit(), visit()
    drop(first, files / "large.png")
    first.click("label:has-text('strong')")
    drop(second, files / "sea.png")
    first.click("#protect")
    wait_for(first, "large.png, picture 1 of 1")
    second.click("#protect")
    wait_for(second, "You wait in line: 1 request comes first.")
    first.click("#cancel")
    wait_for(first, "Canceled; no pictures are protected.")
    wait_for(second, "1 picture is protected.")
    second.wait_for_selector("#slider img")


def test_who_leaves_the_page_does_not_hold_up_the_others(visit, files):
    first, second = visit(), visit()
    drop(first, files / "large.png")
    first.click("label:has-text('strong')")
    first.click("#protect")
    wait_for(first, "large.png, picture 1 of 1")
    first.close()
    drop(second, files / "sea.png")
    second.click("#protect")
    wait_for(second, "1 picture is protected.")


def asked(address, method, path, body=None, **headers):
    """(status, headers, text) of an answer of the server."""
    place = urllib.parse.urlsplit(address)
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=60)
    with contextlib.closing(connection):
        headers = {"Content-Type": "application/json"} | headers
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode(errors="replace")


def test_the_server_answers_for_itself_alone(address, files):
    status, headers, _ = asked(address, "GET", "/")
    assert status == 200
    assert "default-src 'self'" in headers["content-security-policy"]
    assert asked(address, "GET", "/", Host="evil.example")[0] == 400
    for path in ("/etc/passwd", files / "sea.png", mains.ROOT / "setup.py"):
        for start in ("/gradio_api/file=", "/file="):
            assert asked(address, "GET", f"{start}{path}")[0] in (403, 404)


def test_a_path_that_was_not_uploaded_is_not_read(address, files):
    config = json.loads(asked(address, "GET", "/config")[2])
    function = next(d for d in config["dependencies"] if d["api_name"] == "protect")
    kinds = {one["id"]: one for one in config["components"]}
    values = [kinds[i]["props"].get("value") for i in function["inputs"]]
    meta = {"_type": "gradio.FileData"}
    values[0] = [{"path": str(files / "sea.png"), "meta": meta}]
    request = {"data": values, "fn_index": function["id"], "session_hash": "me"}
    status, _, said = asked(
        address, "POST", "/gradio_api/queue/join", json.dumps(request)
    )
    assert status == 200, said
    _, _, said = asked(address, "GET", "/gradio_api/queue/data?session_hash=me")
    assert '"success":false' in said.replace(" ", "") or "was not uploaded" in said
    assert "protected." not in said
