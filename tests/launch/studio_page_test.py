"""The page of `mspd studio` in a browser, and what the server refuses without one."""

import contextlib
import http.client
import io
import json
import pathlib
import urllib.parse
import zipfile

import pytest

from tests.launch import mains, studio
from tests.launch.studio import drop, wait_for

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return studio.save_files(tmp_path_factory.mktemp("files"))


@pytest.fixture(scope="module")
def address(files):
    """Of a page that is served on a free port, until the tests are over."""
    with studio.served(files, "--max_megabytes=20") as page:
        yield page.address


@pytest.fixture(scope="module")
def browser():
    with studio.chromium() as browser:
        yield browser


@pytest.fixture
def visit(browser, address):
    with studio.visits(browser, address) as visit:
        yield visit


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


def test_progress_says_how_long_it_will_take(visit, files):
    page = visit()
    drop(page, files / "large.png")
    page.click("label:has-text('strong')")
    page.click("#protect")
    page.wait_for_function(
        r"() => /large.png, picture 1 of 1: about \d+ (s|min) to go/.test("
        "document.querySelector('#status').innerText)"
    )
    done = page.locator("#status progress").get_attribute("value")
    assert 0 < float(done) < 90
    page.wait_for_function(
        "done => document.querySelector('#status progress').value > done",
        arg=float(done),
    )
    page.click("#cancel")
    wait_for(page, "Canceled")


def clip(page):
    """How much of the picture before is cut off at its left, in percent."""
    return page.evaluate(
        """() => [...document.querySelectorAll('#slider img')]
            .map(image => getComputedStyle(image).clipPath)
            .filter(clip => clip.startsWith('inset'))
            .map(clip => parseFloat(clip.split(' ').at(-1)))"""
    )


def test_the_line_between_before_and_after_is_drawn(visit, files):
    page = visit()
    drop(page, files / "sea.png")
    page.click("#protect")
    wait_for(page, "1 picture is protected.")
    page.wait_for_selector("#slider img")
    handle = page.locator("#slider [data-testid=slider] > span")
    handle.scroll_into_view_if_needed()
    assert clip(page) == pytest.approx([50], abs=1)
    whole = page.locator("#slider [data-testid=slider]").locator("..").bounding_box()
    for share in (0.25, 0.75):
        place = handle.bounding_box()
        middle = place["y"] + place["height"] / 2
        page.mouse.move(place["x"] + place["width"] / 2, middle)
        page.mouse.down()
        page.mouse.move(whole["x"] + share * whole["width"], middle, steps=5)
        page.mouse.up()
        assert clip(page) == pytest.approx([100 * share], abs=3)


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
