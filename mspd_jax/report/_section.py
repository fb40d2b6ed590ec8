"""Parts of a report: a text, and the pictures that it shows."""

from typing import NamedTuple


class Section(NamedTuple):
    """Markdown, empty where there is nothing to say, and PNG bytes by file name."""

    text: str = ""
    pictures: dict[str, bytes] = {}


def section(
    text: str, *, name: str, png: bytes | None, alt: str, title: str | None = None
) -> Section:
    """A section under a title, its picture, if there is one, above the text."""
    shown = f"![{alt}]({name})\n\n" if png else ""
    head = f"\n## {title}\n" if title else ""
    return Section(f"{head}\n{shown}{text}", {name: png} if png else {})
