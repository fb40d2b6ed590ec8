"""Which images an evaluation saw: originals, or what a run made of them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from mspd_jax import paths
from mspd_jax.runs import Run


class Seen(NamedTuple):
    """An evaluation of images before and after a run made others of them.

    made: the protection or reversion. protect: the protection at the beginning of it,
    itself where `made` is one. before, after: evaluations of one model by one attack,
    or its certificates.
    """

    made: Run
    protect: Run
    before: Run
    after: Run


def reads(run: Run, other: Run) -> bool:
    """Whether the images that a run reads are those that another has written."""
    scheme, _, rest = str(run.fields.get("source")).partition(":")
    if scheme not in ("folder", "arrayrecord"):
        return False
    named = paths.resolved(paths.as_path(rest))
    own = paths.resolved(other.path)
    if named in (own, own / "images"):
        return True
    # A folder of runs that was moved, or came from another machine, keeps its names.
    return named.name == own.name and not paths.exists(named)


def source_of(run: Run) -> tuple[Any, Any]:
    return run.fields.get("source"), run.fields.get("data_dir")


def is_of(run: Run, job: str) -> bool:
    """Whether a run is of this job and has records."""
    return run.info.get("job") == job and bool(run.records)


def seen_images(runs: Sequence[Run]) -> Iterator[Seen]:
    """All pairs of evaluations that differ in the images alone."""
    asked = [run for run in runs if is_of(run, "evaluate") or is_of(run, "certify")]
    evaluations = [run for run in asked if run.summary]
    for made in runs:
        protect = _protection_of(made, runs)
        if protect is None:
            continue
        originals = [run for run in evaluations if source_of(run) == source_of(protect)]
        for after in evaluations:
            if reads(after, made):
                before = next((r for r in originals if _how(r) == _how(after)), None)
                if before is not None:
                    yield Seen(made, protect, before, after)


def _protection_of(made: Run, runs: Sequence[Run]) -> Run | None:
    if is_of(made, "protect"):
        return made
    if not is_of(made, "revert"):
        return None
    return next(
        (run for run in runs if is_of(run, "protect") and reads(made, run)), None
    )


# Fields of an evaluation that say which images it takes, or how fast.
_IMAGES = {"source", "data_dir", "limit", "shard", "every", "save_images"}
# Fields that name models are compared by what these hold.
_MODELS = {"target", "surrogate", "denoiser"}


def _how(run: Run) -> Mapping[str, Any]:
    """All that decides an evaluation, but for its images."""
    fields = {k: v for k, v in run.fields.items() if k not in _IMAGES | _MODELS}
    return {**fields, "job": run.info.get("job"), "models": run.info.get("models")}
