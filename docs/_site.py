"""Takes README and results/ into the site of docs/, and makes links hold there.

The pages are written to be read in the repository. In the site README is index.md, what
lies in docs/ is at the top and results/ beside it; of links to other files the words
are left. Formulas, `$...$` and `$$...$$` in the files, become MathML: browsers draw
that by themselves, so that nothing has to be fetched or run for it.
"""

import html
import pathlib
import posixpath
import re

from latex2mathml.converter import convert
from mkdocs.structure.files import File

_ROOT = pathlib.Path(__file__).resolve().parents[1]
_MOVED = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
}
_KINDS = {".md", ".png", ".svg", ".json", ".csv"}


def on_files(files, config):
    """Adds what lies outside of docs/."""
    for path in sorted((_ROOT / "results").rglob("*")):
        if path.is_file() and path.suffix in _KINDS:
            name = path.relative_to(_ROOT).as_posix()
            files.append(File.generated(config, name, abs_src_path=str(path)))
    for name, page in _MOVED.items():
        path = str(_ROOT / name)
        files.append(File.generated(config, page, abs_src_path=path))
    return files


def on_page_markdown(markdown, page, config, files):
    """Turns links between files of the repository into links between pages."""
    here = page.file.src_uri
    back = {new: old for old, new in _MOVED.items()}
    at = here if here.startswith("results/") else back.get(here, f"docs/{here}")

    def moved(match):
        words, target = match.groups()
        if re.match(r"[a-z]+:|#", target):
            return match[0]
        path, mark, place = target.partition("#")
        path = posixpath.normpath(posixpath.join(posixpath.dirname(at), path))
        new = _MOVED.get(path, path.removeprefix("docs/"))
        if files.get_file_from_path(new) is None:
            return words
        new = posixpath.relpath(new, posixpath.dirname(here) or ".")
        return f"[{words}]({new}{mark}{place})"

    return re.sub(r"\[([^]\[]*)\]\(([^)\s]+)\)", moved, markdown)


def on_page_content(text, page, config, files):
    """Turns formulas, as arithmatex marks them, into MathML."""

    def drawn(match):
        kind, formula = match.groups()
        display = "block" if kind == "div" else "inline"
        formula = convert(html.unescape(formula).strip(), display=display)
        return f'<{kind} class="arithmatex">{formula}</{kind}>'

    marked = r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>'
    return re.sub(marked, drawn, text, flags=re.DOTALL)
