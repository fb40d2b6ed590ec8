"""Photographs of many megabytes on the page of `mspd studio`, and of too many."""

import io
import pathlib
import zipfile

import numpy as np
import pytest
from PIL import Image

from tests.launch import studio
from tests.launch.studio import drop, wait_for

pytestmark = pytest.mark.browser
SIZE = (4200, 4000)  # three bytes each are 50 MB, which noise cannot be packed below


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = studio.save_files(tmp_path_factory.mktemp("files"))
    noise = np.random.default_rng(0).integers(0, 256, (*SIZE[::-1], 3), np.uint8)
    Image.fromarray(noise).save(folder / "huge.png", compress_level=1)
    # Neither is looked into: one is refused by the server, the other by the browser.
    for name, size in (("more", 60_500_000), ("most", 70_000_000)):
        with open(folder / f"{name}.png", "wb") as file:
            file.write((folder / "sea.png").read_bytes())
            file.truncate(size)
    return folder


@pytest.fixture(scope="module")
def browser():
    with studio.chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def address(files):
    with studio.served(files, "--max_megabytes=60") as page:
        yield page.address


@pytest.fixture
def visit(browser, address):
    with studio.visits(browser, address) as visit:
        yield visit


def test_a_photo_of_50_megabytes_is_protected(visit, files):
    assert (files / "huge.png").stat().st_size > 50_000_000
    page = visit()
    drop(page, files / "huge.png")
    page.click("label:has-text('light')")
    page.click("text=More")
    page.get_by_label("Samples").fill("1")
    page.click("#protect")
    wait_for(page, "1 picture is protected.")
    page.wait_for_selector("#slider img")
    assert f"{SIZE[0]} x {SIZE[1]}" in page.inner_text("#proof")
    with page.expect_download() as download:
        page.click("#bundle")
    with zipfile.ZipFile(pathlib.Path(download.value.path())) as bundle:
        content = bundle.read("huge.png")
    with (
        Image.open(io.BytesIO(content)) as after,
        Image.open(files / "huge.png") as before,
    ):
        assert after.size == before.size == SIZE and after.mode == "RGB"
        change = np.asarray(after, np.int16) - np.asarray(before)
    assert 0 < np.abs(change).max() <= 4


def test_a_photo_beyond_the_limit_is_named_and_the_next_one_is_done(visit, files):
    page = visit()
    page.set_input_files("input[type=file]", str(files / "most.png"))
    said = page.wait_for_selector("[data-testid=toast-body]").inner_text()
    assert "most.png" in said and "60" in said
    page = visit()
    drop(page, files / "more.png", files / "sea.png")
    page.click("#protect")
    wait_for(page, "1 picture is protected. 1 file was left out.")
    refused = page.inner_text("#refused")
    assert "more.png" in refused
    assert "has 60.5 megabytes, more than the 60 that may be" in refused
