"""One line of progress on standard error: what is done, the rate, the time to go."""

import contextlib
import contextvars
from collections.abc import Callable, Iterator, Sequence

from tqdm import tqdm

# Where a line stands for several jobs, the bar of each moves it by its share.
_ADVANCE: contextvars.ContextVar[Callable[[float], None] | None] = (
    contextvars.ContextVar("advance", default=None)
)
_FORMAT = "{desc}{percentage:3.0f}%|{bar}| {elapsed}<{remaining}"


def progress_bar(
    *,
    total: int,
    done: int = 0,
    description: str = "",
    hidden: bool = False,
    unit: str = "image",
) -> tqdm:
    """A line that counts images, or what `unit` says.

    `hidden` shows nothing, which tests and clusters need.
    Use it as a context manager; `update(n)` adds images, `set_description` says what is
    being done. Within `shared_line` it moves that line and shows none of its own.
    """
    advance = _ADVANCE.get()
    bar = tqdm(
        total=total,
        initial=done,
        desc=description,
        unit=unit,
        unit_scale=unit == "pixel",  # of which there are millions
        delay=0 if total else 1e-9,  # a total that is not known yet is not shown
        disable=hidden or advance is not None,
    )
    if advance is None or hidden:
        return bar

    def update(images: float = 1) -> None:
        bar.n += images
        advance(bar.n / max(bar.total, bar.n, 1))

    bar.update = update
    return bar


@contextlib.contextmanager
def line_of_parts(
    *, total: int, done: int, description: str, unit: str
) -> Iterator[Callable[[float], object]]:
    """A line that moves while an image is worked on, until the images are through.

    The arguments are those of `progress_bar`, whose bars show nothing within it.

    Returns:
      What moves it, by a count or a part of one.
    """
    with progress_bar(
        total=total, done=done, description=description, unit=unit
    ) as bar:
        token = _ADVANCE.set(lambda share: None)
        try:
            yield bar.update
            bar.update(total - bar.n)  # some could not be read
        finally:
            _ADVANCE.reset(token)


@contextlib.contextmanager
def shared_line(
    weights: Sequence[float], *, hidden: bool = False
) -> Iterator[Callable[[str], None]]:
    """One line of progress for several steps, whatever bars they have themselves.

        with shared_line([1, 3]) as begin:
            begin("train")
            ...
            begin("attack")
            ...

    Args:
      weights: how long each step is expected to take, in any unit.
      hidden: shows nothing.

    Returns:
      What begins the next step, with a word for it.
    """
    # The delay keeps the line back until the first step has begun.
    options = {"bar_format": _FORMAT, "delay": 1e-9, "disable": hidden}
    with tqdm(total=sum(weights), **options) as line:
        begun = 0

        def begin(description: str) -> None:
            nonlocal begun
            before, weight = sum(weights[:begun]), weights[begun]
            begun += 1
            line.set_description(description, refresh=False)

            def advance(share: float) -> None:
                line.update(before + share * weight - line.n)

            _ADVANCE.set(advance)
            advance(0.0)
            line.refresh()

        token = _ADVANCE.set(None)
        try:
            yield begin
            line.update(sum(weights) - line.n)
        finally:
            _ADVANCE.reset(token)


@contextlib.contextmanager
def watched(advance: Callable[[float], None]) -> Iterator[None]:
    """Tells who watches, in this thread, of progress; bars show nothing.

    advance: called with the share of a bar that is done. What it raises ends the work.
    """
    token = _ADVANCE.set(advance)
    try:
        yield
    finally:
        _ADVANCE.reset(token)
