"""The page of a report: whole in one file, and deaf to what names in runs say."""

import base64
import html.parser
import pathlib
import re

import pytest

from mspd_jax import jobs
from mspd_jax.report._page import command_of, html_page
from mspd_jax.runs import Run
from tests.jobs.pictures import photo, surrogate

PNG = b"\x89PNG made up"


def run(name="one", job="protect", **fields):
    info = {"job": job, "fields": fields, "seed": "<b>0</b>"}
    return Run(pathlib.Path(name), name, info, fields, None, ())


class Tags(html.parser.HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.found, self.open = [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_pictures_are_in_the_page_small_and_large():
    text = "# Report\n\n| a | b |\n| :-- | --: |\n| x | 1 |\n\n![two](p.png)\n"
    page = html_page(text, {"p.png": PNG, "unused.png": b"no"}, [run()]).decode()
    tags = Tags(page)
    assert not tags.open
    images = [attributes["src"] for tag, attributes in tags.found if tag == "img"]
    data = "data:image/png;base64," + base64.b64encode(PNG).decode()
    assert images == [data, data]
    assert [tag for tag, _ in tags.found].count("td") >= 2
    assert "p.png" not in page


def test_nothing_is_asked_of_anyone():
    page = html_page("text", {}, [run()]).decode()
    assert "default-src 'none'" in page
    assert not re.search(r"https?:|<script|@import|url\(", page)


@pytest.mark.parametrize(
    "name",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[here](javascript:alert(1))",
        "![x](https://example.org/x.png)",
        "<https://example.org>",
        '"><b>',
    ],
)
def test_names_are_text(name):
    text = f"# Report\n\n{name}\n\n| run |\n| :-- |\n| {name} |\n\n![a](p.png)\n"
    page = html_page(text, {"p.png": PNG}, [run(name, source=name)]).decode()
    tags = Tags(page)
    kinds = {tag for tag, _ in tags.found}
    assert not kinds & {"script", "b", "iframe"}
    for tag, attributes in tags.found:
        assert not any(key.startswith("on") for key in attributes)
        if tag == "a":
            assert attributes["href"].startswith("#")
        if tag == "img":
            assert attributes["src"].startswith("data:")


def test_a_command_holds_the_fields_that_are_set():
    fields = {"source": "my photos/", "eps": None, "verify": True, "quick": False}
    fields |= {"survive": ["jpeg:75-95", "crop:0.9-1"], "samples": 4}
    assert command_of(run(job="protect_pictures", **fields)) == (
        "mspd protect --noquick --samples=4 '--source=my photos/' "
        "--survive=jpeg:75-95,crop:0.9-1 --verify --out=OUT"
    )


def test_a_report_on_pictures_shows_them_and_what_changed(tmp_path):
    for number in range(2):
        photo(tmp_path / "photos" / f"{number}.png", seed=number)
    job = jobs.ProtectPictures(
        source=str(tmp_path / "photos"), surrogate=surrogate(), samples=2, verify=True
    )
    job.run(tmp_path / "out")
    report = jobs.Report(runs=(tmp_path / "out",), html=True).run(tmp_path / "report")
    names = sorted(path.name for path in report.files)
    assert names == ["album.png", "report.csv", "report.html", "report.md"]
    text = (tmp_path / "report" / "report.md").read_text()
    assert "Pictures of `out`" in text and "| 0.png | 40x30 | 8/255 |" in text
    assert "of 5" in text and "No picture" not in text
    page = (tmp_path / "report" / "report.html").read_text()
    assert page.count("data:image/png") == 2 and "mspd protect" in page
    # Without the originals there is less to show, and no failure.
    for path in (tmp_path / "photos").iterdir():
        path.unlink()
    jobs.Report(runs=(tmp_path / "out",)).run(tmp_path / "report")
    left = sorted(path.name for path in (tmp_path / "report").iterdir())
    assert left == ["album.png", "report.csv", "report.md"]
