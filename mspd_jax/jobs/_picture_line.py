"""Progress in pixels: pictures differ in size, and a large one takes minutes."""

import contextlib
from collections.abc import Callable, Collection, Iterator, Sequence

from mspd_jax import data, drive, preempt

# The shape of a picture -> how its tiles are worked on, while the line moves.
SpreadOf = Callable[[Sequence[int]], preempt.Spread]


@contextlib.contextmanager
def picture_line(
    source: data.Source, done: Collection[int], count_calls: Callable
) -> Iterator[SpreadOf]:
    """One line for all pictures of a source, in the place of one that counts them.

    done: indices of pictures that are. count_calls: shape -> calls until one is made.
    """
    assert source.shape_of is not None
    pixels = [_pixels(source.shape_of(at)) for at in range(len(source.indices))]
    before = [p for p, i in zip(pixels, source.indices, strict=True) if int(i) in done]
    with drive.line_of_parts(
        total=sum(pixels), done=sum(before), description="protect", unit="pixel"
    ) as advance:

        def spread_of(shape):
            share = _pixels(shape) / count_calls(shape)

            def spread(function, calls):
                for result in drive.spread(function, calls):
                    advance(share)
                    yield result

            return spread

        yield spread_of


def _pixels(shape: Sequence[int] | None) -> int:
    return 0 if shape is None else shape[0] * shape[1]
