"""The page itself, drawn by Gradio."""

import functools
import pathlib
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import gradio as gr

from launch._studio import _files, _form, _line, _uploads, _words, _work
from mspd_jax import jobs

CSS = """
progress { width: 100%; height: 0.8rem; accent-color: #0f766e; }
.refused { color: #b91c1c; }
#proof, #refused { overflow-x: auto; }
#proof table, #refused table { width: 100%; }
#proof h3, #refused h3 { margin: 0.5rem 0; }
#proof th, #proof td, #refused th, #refused td {
  border: 1px solid var(--border-color-primary);
  padding: 0.4rem 0.5rem;
  text-align: left;
  vertical-align: top;
}
#proof td:first-child, #refused td:first-child {
  min-width: 7rem;
  overflow-wrap: anywhere;
}
#proof td:nth-child(2) { white-space: nowrap; }
#proof td:nth-child(5) { min-width: 8.5rem; text-wrap: balance; }
"""
_TITLE = """# Protect your pictures
Drop photos, press *Protect*: each gets a small change, a faint haze of color, that
makes it harder to turn what a classifier sees in it into something else. It stops
nobody from copying the picture, or from recognizing who is in it. All is done on this
machine.
"""
KEPT = 3600  # seconds that a page which does nothing keeps its files
_LEFT = 24 * KEPT  # after which what a page that was closed has left is deleted


class Place(NamedTuple):
    """What all pages share. uploads: the folder of Gradio. work: of all requests."""

    uploads: pathlib.Path
    work: pathlib.Path
    limits: _uploads.Limits
    line: _line.Line
    tickets: dict[str, _line.Ticket]


class Results(NamedTuple):
    """What a page holds on the server. folder: of the request."""

    folder: pathlib.Path
    pictures: tuple[_work.Protected, ...]


class _Shown(NamedTuple):
    """The parts of the page that a request fills."""

    status: Any
    picture: Any
    proof: Any
    meaning: Any
    refused: Any
    bundle: Any
    results: Any


def page(place: Place, fields: Sequence[_form.Field], **fixed: Any) -> gr.Blocks:
    """The page. fixed: fields of the job that the server has chosen."""
    with gr.Blocks(
        title="mspd studio",
        fill_width=True,
        analytics_enabled=False,
        delete_cache=(600, KEPT),
    ) as blocks:
        gr.Markdown(_TITLE)
        with gr.Row():
            with gr.Column(scale=2, min_width=320):
                dropped, answers, begin, cancel = _asked(place, fields)
            with gr.Column(scale=3, min_width=480):
                shown, views = _answered()

        # Gradio finds by its type that a function asks for the request.
        def protect(request: gr.Request, dropped, earlier, *answers):
            yield from _protected(
                place,
                fields,
                fixed,
                str(request.session_hash),
                dropped,
                earlier,
                answers,
            )

        def stop(request: gr.Request):
            _cancel(place, str(request.session_hash))

        look = {"fn": _chosen, "inputs": [shown.picture, shown.results]}
        look |= {"outputs": list(views), "show_progress": "hidden"}
        request = begin.click(
            protect,
            [dropped, shown.results, *answers],
            list(shown),
            concurrency_limit=None,  # they wait in a line of our own, with words
            show_progress="hidden",
            api_name="protect",
        )
        request.then(**look, api_name=False)
        shown.picture.input(**look, api_name=False)
        cancel.click(stop, queue=False, api_name="cancel")
    return blocks


def _asked(place: Place, fields: Sequence[_form.Field]) -> tuple:
    """The left side: files, questions, buttons."""
    dropped = gr.File(
        label=f"Photos (up to {place.limits.files} of {place.limits.megabytes} MB)",
        file_count="multiple",
        type="filepath",
        height=220,
    )
    with gr.Row():
        begin = gr.Button("Protect", variant="primary", elem_id="protect")
        cancel = gr.Button("Cancel", elem_id="cancel")
    common = [field for field in fields if not field.rare]
    made = {field.name: _widget(field) for field in common}
    if len(common) < len(fields):
        with gr.Accordion("More", open=False):
            made |= {field.name: _widget(field) for field in fields if field.rare}
    return dropped, [made[field.name] for field in fields], begin, cancel


def _answered() -> tuple[_Shown, tuple]:
    """The right side: progress, the picture that is looked at, the proof.

    The second are what shows that picture: slider, difference, what holds the latter.
    """
    status = gr.HTML("<p>Nothing is protected yet.</p>", elem_id="status")
    picture = gr.Dropdown([], label="Look at", visible=False, elem_id="picture")
    slider = gr.ImageSlider(
        label="Before | after",
        type="filepath",
        format="png",
        interactive=False,
        visible=False,
        buttons=["fullscreen"],
        elem_id="slider",
    )
    with gr.Accordion(
        "The difference, ten times as large", open=False, visible=False
    ) as more:
        difference = gr.Image(
            type="filepath",
            format="png",
            interactive=False,
            show_label=False,
            buttons=["fullscreen"],
            elem_id="difference",
        )
    bundle = gr.DownloadButton(
        "Download all (zip)", visible=False, variant="primary", elem_id="bundle"
    )
    proof = gr.HTML(visible=False, elem_id="proof")
    meaning = gr.HTML(_words.MEANING, visible=False)
    refused = gr.HTML(visible=False, elem_id="refused")
    results = gr.State(None, time_to_live=KEPT, delete_callback=_forget)
    shown = _Shown(status, picture, proof, meaning, refused, bundle, results)
    return shown, (slider, difference, more)


def _widget(field: _form.Field) -> Any:
    shared = {"label": field.label, "info": field.help, "value": field.default}
    bounds = {"minimum": field.lower, "maximum": field.upper}
    if field.widget in ("radio", "dropdown"):
        make = gr.Radio if field.widget == "radio" else gr.Dropdown
        return make(list(field.choices), **shared)
    if field.widget == "checks":
        return gr.CheckboxGroup(list(field.choices), **shared)
    if field.widget == "switch":
        return gr.Checkbox(**shared)
    if field.widget == "number":
        return gr.Number(**bounds, precision=0 if field.whole else None, **shared)
    return gr.Textbox(max_lines=1, placeholder="as usual", **shared)


def _protected(
    place: Place,
    fields: Sequence[_form.Field],
    fixed: dict[str, Any],
    session: str,
    dropped: Sequence[str] | None,
    earlier: Results | None,
    answers: Sequence[Any],
) -> Iterator[_Shown]:
    """Fills the page, again and again, until the request has ended."""
    same = _Shown(*(gr.skip() for _ in _Shown._fields))
    if not dropped:
        yield same._replace(status=_words.failure("Drop at least one photo first."))
        return
    _forget(earlier)
    _sweep(place.work)
    folder = pathlib.Path(tempfile.mkdtemp(dir=place.work))
    yield same._replace(status=_words.BEGUN)
    try:
        source = folder / "source"
        source.mkdir()
        job = _form.job_of_answers(
            jobs.ProtectPictures, fields, answers, source=str(source), **fixed
        )
        taken = _uploads.take(dropped, source, place.uploads, place.limits)
        work = functools.partial(_work.protect_all, job, taken.files, folder / "runs")
        ticket = place.tickets[session] = _line.join(place.line)
        for news in _work.attended(place.line, ticket, work):
            if isinstance(news, _work.Ended):
                refused = (*taken.refused, *news.refused)
                yield _filled(news._replace(refused=refused), folder)
            else:
                yield same._replace(status=_words.progress(news))
    except Exception as error:  # of one request: the server stays
        shutil.rmtree(folder, ignore_errors=True)
        yield same._replace(status=_words.failure(_work.told_of(error)))
    finally:
        place.tickets.pop(session, None)


def _filled(ended: _work.Ended, folder: pathlib.Path) -> _Shown:
    names = [one.name for one in ended.pictures]
    some = bool(names)
    bundle = _files.bundled(ended.pictures, folder / "protected.zip") if some else None
    return _Shown(
        _words.summed_up(ended),
        gr.Dropdown(names, value=names[0] if some else None, visible=len(names) > 1),
        gr.HTML(_words.proof_table(ended), visible=some),
        gr.HTML(visible=some),
        gr.HTML(_words.refused_table(ended), visible=bool(ended.refused)),
        gr.DownloadButton(value=bundle, visible=some),
        Results(folder, ended.pictures),
    )


def _chosen(name: str | None, results: Results | None) -> tuple:
    """The previews of the picture of this name, made when it is looked at."""
    found = [one for one in results.pictures if one.name == name] if results else []
    if not found:
        return gr.ImageSlider(visible=False), None, gr.Accordion(visible=False)
    assert results is not None
    shown = _files.previews(found[0], results.folder / "shown" / found[0].name)
    both = (str(shown.before), str(shown.after))
    slider = gr.ImageSlider(both, visible=True)
    return slider, str(shown.difference), gr.Accordion(visible=True)


def _cancel(place: Place, session: str) -> None:
    ticket = place.tickets.get(session)
    if ticket is not None:
        ticket.canceled.set()


def _forget(results: Results | None) -> None:
    if results is not None:
        shutil.rmtree(results.folder, ignore_errors=True)


def _sweep(folder: pathlib.Path) -> None:
    for path in folder.iterdir():
        if time.time() - path.stat().st_mtime > _LEFT:
            shutil.rmtree(path, ignore_errors=True)
