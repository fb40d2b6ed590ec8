"""The site of docs/ is built without a warning, and asks nobody else for anything."""

import importlib.util
import inspect
import os
import re
import subprocess
import sys

import pytest

import mspd_jax
from tests.launch.mains import ROOT

_NEEDED = (
    "latex2mathml",
    "mkdocs",
    "material",
    "mkdocstrings",
    "mkdocstrings_handlers.python",
)
pytestmark = pytest.mark.slow


def _has(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    missing = [module for module in _NEEDED if not _has(module)]
    if missing:
        pytest.skip(f"needs .[docs]: {', '.join(missing)} not installed")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", str(folder)]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "not included in the" not in done.stderr  # each page is in the navigation
    return folder


def test_the_readme_and_the_results_are_pages_with_their_pictures(site):
    home = (site / "index.html").read_text(encoding="utf-8")
    assert "results/quickstart/picture.png" in home
    assert (site / "results" / "quickstart" / "picture.png").stat().st_size
    assert 'href="pictures/"' in home and 'href="results/cifar10/"' in home


def test_links_lead_to_pages_that_exist(site):
    for page in site.rglob("index.html"):
        text = page.read_text(encoding="utf-8")
        for target in re.findall(r'(?:href|src)="([^"#?:]+)[#?"]', text):
            path = page.parent / target
            assert path.is_file() or (path / "index.html").is_file(), (page, target)


def test_pages_load_nothing_from_elsewhere(site):
    loads = re.compile(
        r'<(?:script|link|img|iframe)\b[^>]*(?:src|href)="(?:https?:)?//'
    )
    for page in site.rglob("*.html"):
        assert not loads.search(page.read_text(encoding="utf-8")), page


def test_the_reference_has_every_public_function_and_class(site):
    text = (site / "reference" / "index.html").read_text(encoding="utf-8")
    named = set(re.findall(r'id="(mspd_jax\.[\w.]+)"', text))
    for family in mspd_jax.FAMILIES:
        module = importlib.import_module(f"mspd_jax.{family}")
        for name in getattr(module, "__all__", ()):
            thing = getattr(module, name)
            if inspect.isfunction(thing) or inspect.isclass(thing):
                assert f"mspd_jax.{family}.{name}" in named


def test_formulas_are_drawn_without_a_script(site):
    for page in site.rglob("index.html"):
        text = page.read_text(encoding="utf-8")
        words = re.sub(r"<(pre|code|script)\b.*?</\1>", "", text, flags=re.DOTALL)
        assert not re.search(r'class="arithmatex">\\|\\[()[\]]', words), page
        for formula in re.findall(r"<math\b.*?</math>", words, flags=re.DOTALL):
            # What the converter does not know stays as it was written.
            assert "\\" not in formula and "$" not in formula, (page, formula)
        if page.parent.parent.name == "methods":
            assert "<math" in words, page
            assert "$" not in words, page
