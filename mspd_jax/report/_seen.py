"""Which images an evaluation saw: originals, or what a run made of them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from mspd_jax import paths
from mspd_jax.runs import Run


class Seen(NamedTuple):
    """An evaluation of images before and after a run made others of them.

    made: the protection or reversion. protect: the protection at the beginning of it,
    itself where `made` is one. before, after: evaluations of one model by one attack,
    or its certificates. settings: fields that decide them, those of images left out.
    """

    made: Run
    protect: Run
    before: Run
    after: Run
    settings: Mapping[str, Any]


def reads(run: Run, other: Run) -> bool:
    """Whether the images that a run reads are those that another has written."""
    folder = _folder_read(run)
    own = paths.resolved(other.path)
    return folder is not None and folder in (own, own / "images")


def source_of(run: Run) -> tuple[Any, Any]:
    return run.fields.get("source"), run.fields.get("data_dir")


def is_of(run: Run, job: str) -> bool:
    """Whether a run is of this job and has records."""
    return run.info.get("job") == job and bool(run.records)


def seen_images(runs: Sequence[Run]) -> Iterator[Seen]:
    """All pairs of evaluations that differ in the images alone.

    Of several evaluations of the originals the one that shares most images counts.
    """
    asked = [run for run in runs if is_of(run, "evaluate") or is_of(run, "certify")]
    evaluations = [run for run in asked if run.summary]
    makers = [run for run in runs if is_of(run, "protect") or is_of(run, "revert")]
    for after in evaluations:
        made = _maker_of(after, makers)
        protect = None if made is None else _protection_of(made, makers)
        if made is None or protect is None:
            continue
        settings, source = _settings(after), source_of(protect)
        before = [
            run
            for run in evaluations
            if source_of(run) == source and _settings(run) == settings
        ]
        if before:
            most = max(before, key=lambda run: _shared(run, after))
            yield Seen(made, protect, most, after, settings)


def _folder_read(run: Run) -> Any:
    scheme, _, rest = str(run.fields.get("source")).partition(":")
    known = scheme in ("folder", "arrayrecord")
    return paths.resolved(paths.as_path(rest)) if known else None


def _maker_of(run: Run, makers: Sequence[Run]) -> Run | None:
    """The run that wrote the images that a run reads.

    Runs that were moved, or came from another machine, keep the names of their folders:
    where no folder is at the place that was read, one alone of that name will do.
    """
    found = [maker for maker in makers if reads(run, maker)]
    folder = _folder_read(run)
    if not found and folder is not None and not paths.exists(folder):
        names = {folder.name, folder.parent.name if folder.name == "images" else ""}
        found = [maker for maker in makers if maker.path.name in names]
    return found[0] if len(found) == 1 else None


def _protection_of(made: Run, makers: Sequence[Run]) -> Run | None:
    if made.info.get("job") == "protect":
        return made
    first = _maker_of(made, makers)
    return first if first is not None and first.info.get("job") == "protect" else None


def _shared(run: Run, other: Run) -> int:
    return len(np.intersect1d(run.records.indices, other.records.indices))


# Fields of an evaluation that do not decide a verdict: which images it takes, what it
# writes and checks; and those that name models, which count by what they hold.
_OPEN = {"source", "data_dir", "limit", "shard", "every", "save_images"}
_OPEN |= {"check_images", "clean_gate", "target", "surrogate", "denoiser"}


def _settings(run: Run) -> dict[str, Any]:
    """All that decides what an evaluation finds of an image."""
    fields = {name: value for name, value in run.fields.items() if name not in _OPEN}
    return {**fields, "job": run.info.get("job"), "models": run.info.get("models")}
