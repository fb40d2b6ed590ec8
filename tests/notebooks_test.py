"""Notebooks are clean as committed, and do what they say from the first cell on."""

import importlib.util
import json
import re
import subprocess
import zipfile

import numpy as np
import pytest
from PIL import Image

from mspd_jax import pictures
from tests.launch.mains import ROOT, environment

NAMES = sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))
_NEEDED = ("nbclient", "nbformat", "ipykernel")
# Where a notebook was written is nobody's business, and exists nowhere else.
_MACHINE = re.compile(r"/(?:home|root|work|Users|tmp|content|kaggle|mnt)/|\b[A-Z]:\\")


def _read(name):
    return json.loads((ROOT / "notebooks" / name).read_text(encoding="utf-8"))


def _code(name):
    return [c for c in _read(name)["cells"] if c["cell_type"] == "code"]


def test_there_are_notebooks():
    assert NAMES == ["protect_pictures.ipynb", "research.ipynb"]


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_committed_as_it_was_written(name):
    book = _read(name)
    assert (book["nbformat"], book["nbformat_minor"]) == (4, 5)
    assert set(book["metadata"]) == {"kernelspec", "language_info"}
    assert book["metadata"]["language_info"] == {"name": "python"}
    ids = [cell["id"] for cell in book["cells"]]
    assert len(set(ids)) == len(ids) <= 20
    assert all(re.fullmatch(r"[a-z-]{1,64}", each) for each in ids)
    for cell in book["cells"]:
        keys = {"cell_type", "id", "metadata", "source"}
        if cell["cell_type"] == "code":
            keys |= {"execution_count", "outputs"}
            assert cell["outputs"] == [] and cell["execution_count"] is None
        assert set(cell) == keys and cell["metadata"] == {}
    text = "".join("".join(cell["source"]) for cell in book["cells"])
    assert not _MACHINE.search(text) and "torch" not in text


@pytest.mark.parametrize("name", NAMES)
def test_the_first_cell_installs_what_cannot_be_imported(name, monkeypatch):
    asked = []
    monkeypatch.setattr(subprocess, "run", lambda words, **_: asked.append(words))
    first = "".join(_code(name)[0]["source"])
    exec(first, {})
    assert not asked  # it is installed here
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(RuntimeError, match="set REPOSITORY"):
        exec(first, {})
    exec(first.replace('REPOSITORY = ""', 'REPOSITORY = "clone.zip"'), {})
    assert [words[-3:] for words in asked] == [["install", "-q", "clone.zip"]]


def _run(name, folder):
    """Executes a notebook in a kernel of its own; its figures, and what it printed."""
    missing = [each for each in _NEEDED if importlib.util.find_spec(each) is None]
    if missing:
        pytest.skip(f"needs .[notebooks]: {', '.join(missing)} not installed")
    import nbclient
    import nbformat

    book = nbformat.read(ROOT / "notebooks" / name, as_version=4)
    nbformat.validate(book)
    where = {"metadata": {"path": str(folder)}}
    client = nbclient.NotebookClient(book, timeout=300, resources=where)
    client.execute(env=environment() | {"IPYTHONDIR": str(folder / ".ipython")})
    outputs = [o for c in book.cells if c.cell_type == "code" for o in c.outputs]
    figures = [o for o in outputs if "image/png" in o.get("data", {})]
    return len(figures), "".join(o.text for o in outputs if o.get("name") == "stdout")


@pytest.mark.slow
def test_the_notebook_on_pictures_protects_one(tmp_path):
    figures, printed = _run("protect_pictures.ipynb", tmp_path)
    assert figures == 3, printed  # the preview, before and after, the bars
    before = pictures.read_picture(pictures.EXAMPLE).levels.astype(int)
    after = pictures.read_picture(tmp_path / "protected/images/cat.png").levels
    assert 0 < np.abs(after - before).max() <= 8
    with zipfile.ZipFile(tmp_path / "protected.zip") as bundle:
        assert "cat.png" in bundle.namelist()
    assert (tmp_path / "page/report.html").stat().st_size
    assert Image.open(tmp_path / "surviving/images/cat.png").size == (451, 300)
    seen = re.search(r"in (\d) of 5 views of the original\nin (\d) of", printed)
    assert seen and int(seen[2]) >= int(seen[1]), printed


@pytest.mark.slow
def test_the_notebook_on_research_finds_what_it_says(tmp_path):
    figures, printed = _run("research.ipynb", tmp_path)
    assert figures == 2, printed  # the digits, and the plot

    def robust(name):
        file = tmp_path / "attacked" / name / "summary.json"
        return json.loads(file.read_text(encoding="utf-8"))["robust_accuracy"]

    assert robust("mspd_20") > robust("unprotected") + 0.05, printed
    assert robust("bilevel") > robust("unprotected") + 0.05, printed
    assert robust("reverted") < robust("mspd_20"), printed
    assert "reliable: True" in printed
    assert (tmp_path / "report/report.html").stat().st_size
