"""A progress bar over the driver's batches: rate and time to go, on standard error."""

from collections.abc import Iterable, Iterator

from tqdm import tqdm

from mspd_jax.drive._drive import Outcome


def with_progress(
    batches: Iterable[list[Outcome]],
    *,
    total: int,
    done: int = 0,
    description: str = "",
    hidden: bool = False,
) -> Iterator[list[Outcome]]:
    """Passes the batches through and shows how many images of `total` are finished."""
    with tqdm(
        total=total, initial=done, desc=description, unit="image", disable=hidden
    ) as bar:
        for batch in batches:
            yield batch
            bar.update(len(batch))
