"""A report as one HTML file that needs nothing else, and asks nobody for anything."""

import base64
import html
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import markdown

from mspd_jax.runs import Run

# Scripts and requests are forbidden, whatever a name in a run may say.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem;
  padding: 0 1rem; color: #1c1e21; background: #fff; }
table { border-collapse: collapse; display: block; overflow-x: auto; margin: 1rem 0; }
th, td { padding: .3rem .7rem; border-bottom: 1px solid #d8dade; white-space: nowrap; }
thead th { border-bottom: 2px solid #1c1e21; }
tbody tr:hover { background: #f2f4f7; }
img { max-width: 100%; cursor: zoom-in; }
pre { background: #f2f4f7; padding: .7rem; white-space: pre-wrap;
  overflow-wrap: anywhere; }
.large { display: none; }
.large:target { display: block; position: fixed; inset: 0; overflow: auto;
  background: #fff; padding: 1rem; }
.large img { max-width: none; cursor: zoom-out; }
details { margin: .7rem 0; }
"""
_ELSEWHERE = re.compile(r'<img(?![^>]*src="data:)[^>]*>')
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<style>{style}</style></head>
<body id="top">{body}</body></html>
"""


def html_page(text: str, pictures: Mapping[str, bytes], runs: Sequence[Run]) -> bytes:
    """The page of a report.

    text: its Markdown, as written to report.md. pictures: PNGs by the names that the
    text shows. runs: whose settings and commands stand at the end.
    """
    body = _body(text)
    for number, (name, png) in enumerate(pictures.items()):
        source = f"data:image/png;base64,{base64.b64encode(png).decode()}"
        small = f'src="{html.escape(name)}"'
        place = f"picture{number}"
        before, found, after = body.partition(small)
        if found:
            start = before.rindex("<img")
            end = len(before) + len(found) + after.index(">") + 1
            image = body[start:end].replace(small, f'src="{source}"')
            body = (
                f'{body[:start]}<a href="#{place}">{image}</a>'
                f'<a class="large" id="{place}" href="#top">{image}</a>{body[end:]}'
            )
    body = _ELSEWHERE.sub("", body)
    repeat = "".join(_settings(run) for run in runs)
    if repeat:
        body += f"<h2>Settings, and how to repeat it</h2>{repeat}"
    title = html.escape(", ".join(run.name for run in runs) or "Report")
    page = _PAGE.format(title=title, policy=_POLICY, style=_STYLE, body=body)
    return page.encode("utf-8", "replace")


def command_of(run: Run) -> str:
    """The command that does a run again; models and sources that were values of a
    program are named by what they said of themselves."""
    job = str(run.info.get("job"))
    flags = [
        flag
        for name, value in sorted(run.fields.items())
        if (flag := _flag(name, value)) is not None
    ]
    # Pictures are protected by the same command as data sets.
    words = ["mspd", "protect" if job == "protect_pictures" else job, *flags]
    return shlex.join([*words, "--out=OUT"])


def _flag(name: str, value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return f"--{name}" if value else f"--no{name}"
    if isinstance(value, list):
        return f"--{name}={','.join(map(str, value))}"
    return f"--{name}={value}"


def _body(text: str) -> str:
    """HTML of Markdown in which tags and links are but text."""
    converter = markdown.Markdown(extensions=["tables", "sane_lists"])
    converter.preprocessors.deregister("html_block")
    for pattern in ("html", "link", "reference", "short_reference", "autolink"):
        converter.inlinePatterns.deregister(pattern)
    converter.inlinePatterns.deregister("automail")
    return converter.convert(text)


def _settings(run: Run) -> str:
    """The command of a run, and below it all that run.json says."""
    rows = "".join(
        f"<tr><th>{html.escape(str(name))}</th><td>{html.escape(str(value))}</td></tr>"
        for name, value in {**run.info, "fields": None}.items()
        if value not in (None, {})
    )
    return (
        f"<h3>{html.escape(run.name)}</h3><pre>{html.escape(command_of(run))}</pre>"
        f"<details><summary>when, where and with what</summary>"
        f"<table>{rows}</table></details>"
    )
