"""One line of progress on standard error: what is done, the rate, the time to go."""

from collections.abc import Iterable, Iterator

from tqdm import tqdm

from mspd_jax.drive._drive import Outcome


def progress_bar(
    *, total: int, done: int = 0, description: str = "", hidden: bool = False
) -> tqdm:
    """A line that counts images; `hidden` shows nothing, which tests and clusters need.

    Use it as a context manager; `update(n)` adds images, `set_description` says what is
    being done.
    """
    return tqdm(
        total=total, initial=done, desc=description, unit="image", disable=hidden
    )


def with_progress(
    batches: Iterable[list[Outcome]],
    *,
    total: int,
    done: int = 0,
    description: str = "",
    hidden: bool = False,
) -> Iterator[list[Outcome]]:
    """Passes the batches through and shows how many images of `total` are finished."""
    with progress_bar(
        total=total, done=done, description=description, hidden=hidden
    ) as bar:
        for batch in batches:
            yield batch
            bar.update(len(batch))
