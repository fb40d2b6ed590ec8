"""The server of the page: on this machine alone, with nothing from elsewhere."""

import os
import pathlib
import signal
import socket
import tempfile
import threading
import webbrowser

# Before Gradio is imported, which reads them then: it asks nobody and tells nobody.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["DO_NOT_TRACK"] = "1"

import gradio as gr  # noqa: E402
from starlette.middleware import Middleware  # noqa: E402
from starlette.middleware.trustedhost import TrustedHostMiddleware  # noqa: E402

from launch._studio import _form, _headers, _line, _page, _uploads  # noqa: E402
from launch._studio._job import Studio  # noqa: E402
from mspd_jax import jobs  # noqa: E402
from mspd_jax.errors import InputError  # noqa: E402

_HOST = "127.0.0.1"
_FONTS = ["system-ui", "sans-serif"]
_MONO = ["ui-monospace", "monospace"]


def serve(asked: Studio) -> None:
    """Serves the page until the process is interrupted; deletes what it held."""
    # Asked to end is ended as by Ctrl-C: the folder does not stay behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="mspd-studio-") as folder:
        blocks = _page_of(asked, pathlib.Path(folder))
        try:
            address = _begun(blocks, asked)
            print(f"the page is at {address} (Ctrl-C ends it)", flush=True)
            if asked.open:
                webbrowser.open(address)
            threading.Event().wait()
        except KeyboardInterrupt:
            pass
        finally:
            blocks.close(verbose=False)


def _page_of(asked: Studio, folder: pathlib.Path) -> gr.Blocks:
    uploads, work = folder / "uploads", folder / "work"
    uploads.mkdir()
    work.mkdir()
    os.environ["GRADIO_TEMP_DIR"] = str(uploads)
    limits = _uploads.Limits(asked.max_files, asked.max_megabytes)
    place = _page.Place(uploads, work, limits, _line.empty_line(), {})
    models = {"surrogate": asked.surrogate, "labeler": asked.labeler}
    offered = {
        name: (value, getattr(jobs.ProtectPictures, name), asked.surrogate)
        for name, value in models.items()
    }
    fields = _form.form_of(
        jobs.ProtectPictures, offered=offered if asked.advanced else None
    )
    return _page.page(place, fields, **({} if asked.advanced else models))


def _begun(blocks: gr.Blocks, asked: Studio) -> str:
    # The server is asked whether it is there: not by way of a proxy.
    for name in ("NO_PROXY", "no_proxy"):
        os.environ[name] = ",".join(filter(None, [os.environ.get(name), _HOST]))
    middleware = [
        Middleware(TrustedHostMiddleware, allowed_hosts=[_HOST, "localhost"]),
        Middleware(_headers.own_alone),
    ]
    _, address, _ = blocks.queue(api_open=False).launch(
        server_name=_HOST,
        server_port=_free_port(asked.port),
        share=False,
        quiet=True,
        prevent_thread_lock=True,
        show_error=False,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        max_file_size=f"{asked.max_megabytes}mb",
        theme=_theme(),
        css=_page.CSS,
        footer_links=[],
        app_kwargs={"middleware": middleware},
    )
    return address


def _theme() -> gr.themes.Base:
    """Fonts of the machine, and a teal that is dark enough to be read."""
    theme = gr.themes.Soft(font=_FONTS, font_mono=_MONO, primary_hue="teal")
    return theme.set(
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_700",
        block_title_text_color="*primary_800",
        block_label_text_color="*primary_800",
        checkbox_label_background_fill_selected="*primary_700",
        slider_color="*primary_700",
    )


def _free_port(port: int) -> int:
    """The port itself, for 0 any; InputError where another program has it."""
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((_HOST, port))
        except OSError as error:
            raise InputError(
                f"`port`={port} cannot be had ({error.strerror})"
            ) from error
        return tried.getsockname()[1]
