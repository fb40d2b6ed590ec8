"""One request: its pictures protected one by one, in a thread, and told of."""

import dataclasses
import pathlib
import queue
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from launch._studio import _line
from launch._studio._uploads import Refused
from mspd_jax import drive, jobs, pictures
from mspd_jax.errors import InputError, first_line

_POLL = 0.25  # seconds between two looks
_MADE = 0.9  # of a picture's time; then it is attacked


class Protected(NamedTuple):
    """A picture that is done. record: what was measured, a `jobs.PictureRecord`."""

    name: str
    original: pathlib.Path
    file: pathlib.Path
    record: Any


class Waits(NamedTuple):
    """ahead: how many requests come first."""

    ahead: int


class Works(NamedTuple):
    """share: of all the work that is done. name: of the picture that is worked on.
    attacked: whether it is protected, and attacked to see what that is worth."""

    share: float
    seconds: float
    name: str
    number: int
    total: int
    attacked: bool = False


class Ended(NamedTuple):
    """What came of a request. canceled: by who asked, before all was done."""

    pictures: tuple[Protected, ...]
    refused: tuple[Refused, ...]
    canceled: bool = False


def attended(
    line: _line.Line,
    ticket: _line.Ticket,
    work: Callable[[Callable[[Works], None], Callable[[], None]], Ended],
) -> Iterator[Waits | Works | Ended]:
    """Waits for the turn of a ticket, then works in a thread; tells of both.

    work: (tell, check) -> what came of it; `check` raises where nobody wants it any
    more. The next in line begins when the thread has ended, whatever the page does.
    """
    begun = False
    try:
        while (before := _line.ahead(line, ticket)) and not _line.is_over(ticket):
            yield Waits(before)
            time.sleep(_POLL)
        if _line.is_over(ticket):
            yield Ended((), (), canceled=True)
            return
        told: queue.SimpleQueue[Works | Ended | BaseException] = queue.SimpleQueue()

        def run():
            try:
                told.put(work(told.put, lambda: _check(ticket)))
            except BaseException as error:  # the thread that waits raises it
                told.put(error)
            finally:
                _line.leave(line, ticket)

        begun = True
        threading.Thread(target=run, daemon=True).start()
        while not isinstance(news := _last(told, line, ticket), Ended):
            if isinstance(news, BaseException):
                raise news
            if news is not None:
                yield news
        yield news
    finally:
        ticket.canceled.set()  # a page that was closed lets go of this generator
        if not begun:
            _line.leave(line, ticket)


def protect_all(
    job: jobs.ProtectPictures,
    files: tuple[pathlib.Path, ...],
    folder: pathlib.Path,
    tell: Callable[[Works], None],
    check: Callable[[], None],
) -> Ended:
    """Protects files, each by itself: what fails in one does not stop the others."""
    done: list[Protected] = []
    refused: list[Refused] = []
    begun = time.monotonic()
    asked = [dataclasses.replace(job, source=str(file), verify=True) for file in files]
    pixels = [_pixels(one) for one in asked]
    for number, (one, file) in enumerate(zip(asked, files, strict=True)):

        def heard(share, name=file.name, number=number):
            check()
            done_before, over = sum(pixels[:number]), share > 0.999
            made = pixels[number] * _MADE * share
            tell(
                Works(
                    (done_before + made) / sum(pixels),
                    time.monotonic() - begun,
                    name,
                    number + 1,
                    len(files),
                    over,
                )
            )

        try:
            check()
            with drive.watched(heard):
                result = one.run(folder / str(number))
            if result.unreadable:
                raise InputError(result.unreadable[0])
            (record,) = result.records
            made = pathlib.Path(result.folder / record.file)
            done.append(Protected(record.name, file, made, record))
        except _CanceledError:
            return Ended(tuple(done), tuple(refused), canceled=True)
        except Exception as error:  # of one picture: the server stays
            refused.append(Refused(file.name, _why(error, file)))
    return Ended(tuple(done), tuple(refused))


def told_of(error: Exception) -> str:
    """One line on an error; what was not foreseen is printed on the server, whole."""
    if isinstance(error, InputError):
        return first_line(error)
    traceback.print_exception(error, file=sys.stderr)
    return f"failed: {first_line(error)}"


class _CanceledError(Exception):
    """Nobody wants the work any more."""


def _check(ticket: _line.Ticket) -> None:
    if _line.is_over(ticket):
        raise _CanceledError


def _last(told: queue.SimpleQueue, line: _line.Line, ticket: _line.Ticket) -> Any:
    """The last that was told for a while, None for nothing; what ends it at once."""
    until, news = time.monotonic() + _POLL, None
    while (left := until - time.monotonic()) > 0:
        try:
            news = told.get(timeout=left)
        except queue.Empty:
            break
        if not isinstance(news, Works):
            break
    ticket.heard[0] = time.monotonic()
    return news


def _pixels(job: jobs.ProtectPictures) -> int:
    """How large a picture is, by which its time goes; one that is refused soon is 1."""
    try:
        source = pictures.open_pictures(job.source, job.source)
        shape = source.shape_of(0) if source.shape_of else None
    except InputError:
        shape = None
    return shape[0] * shape[1] if shape else 1


def _why(error: Exception, file: pathlib.Path) -> str:
    """Why a picture was not protected, without the folder that nobody knows."""
    said = told_of(error).replace(f"{file.parent}/", "")
    return said.removeprefix(f"the picture {pictures.shown(file.name)} ")
