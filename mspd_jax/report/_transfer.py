"""What a protection gains on each model that its images were shown to."""

import functools
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from mspd_jax import paths
from mspd_jax.report._outcomes import Outcomes, outcomes
from mspd_jax.report._rows import defense_name, model_name, path_name
from mspd_jax.report._seen import Seen, seen_images
from mspd_jax.runs import Run


class Cell(NamedTuple):
    """Images of one kind before one model, paired with the originals.

    Attributes:
      images: what they are, in words.
      target: the model.
      how: the attack, its radius and norm; or the certificate.
      guided: whether the model guided the protection, or labeled for it.
      indices: int [n], which images of the data set.
      verdicts: bool [n, 5]: right and robust before, right and robust after, and
        whether the label that guided was the true one. Robust is certified, too.
      settings: what decided the verdicts, digests of models among it.
    """

    images: str
    target: str
    how: str
    guided: bool
    indices: np.ndarray
    verdicts: np.ndarray
    settings: dict[str, Any]


class Gain(NamedTuple):
    """A mean gain, and half of its 95 % interval over the images.

    The choice of the models is not in the interval.
    """

    mean: float
    half: float


def transfer_cells(
    runs: Sequence[Run], roots: Sequence[str | os.PathLike] = ()
) -> list[Cell]:
    """The cells of all pairs of evaluations that differ in the images alone.

    roots: folders below which images are called by their path; those of the report.
    """
    pairs = list(seen_images(runs))
    # Records are read once, for pairs share their runs.
    asked = {run.path: run for seen in pairs for run in (seen.before, seen.after)}
    answers = {path: outcomes(run) for path, run in asked.items()}
    shields = {seen.protect.path: seen.protect for seen in pairs}
    labels = {path: _labels(run) for path, run in shields.items()}
    found: dict[tuple, Cell] = {}
    for cell in (
        cell
        for seen in pairs
        for cell in _cells(seen, _images(seen, roots), answers, labels)
    ):
        known = (cell.images, cell.how, repr(sorted(cell.settings.items())))
        same = found.get(known)
        # Of one evaluation that was run twice, the larger.
        if len(cell.indices) > (0 if same is None else len(same.indices)):
            found[known] = cell
    return _told_apart(list(found.values()))


def together(cells: Sequence[Cell]) -> np.ndarray:
    """The verdicts on the images that all cells share, float [models, n, 5]."""
    shared = functools.reduce(np.intersect1d, [cell.indices for cell in cells])
    rows = [cell.verdicts[np.isin(cell.indices, shared)] for cell in cells]
    return np.stack(rows).astype(float)


def mean_gain(verdicts: np.ndarray, what: str = "robust") -> Gain:
    """The gain over models [models, n, 5], which share the images."""
    over_models = gains(verdicts, what).mean(axis=0)
    count = len(over_models)
    spread = over_models.std(ddof=1) if count > 1 else float("nan")
    return Gain(float(over_models.mean()), float(1.96 * spread / np.sqrt(count)))


def gains(verdicts: np.ndarray, what: str = "robust") -> np.ndarray:
    """Of each model and image +1, 0 or -1, [models, n]."""
    column = 1 if what == "robust" else 0
    return verdicts[..., column + 2] - verdicts[..., column]


def by_labels(verdicts: np.ndarray) -> tuple[float | None, float | None]:
    """Mean gain of robust accuracy where the label was right, and where it was not."""
    found, right = gains(verdicts), verdicts[..., 4].astype(bool)
    return _mean(found[right]), _mean(found[~right])


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None


def _cells(
    seen: Seen, images: str, answers: Mapping, labels: Mapping
) -> Iterator[Cell]:
    """One for each question that the evaluations answer."""
    target = (seen.after.info.get("models") or {}).get("target")
    guides = set((seen.protect.info.get("models") or {}).values())
    before, after = answers[seen.before.path], answers[seen.after.path]
    right = labels[seen.protect.path]
    for how in after:
        indices, verdicts = _verdicts(right, before[how], after[how])
        yield Cell(
            images=images,
            target=_name(seen.after),
            how=how,
            guided=target in guides,
            indices=indices,
            verdicts=verdicts,
            settings=dict(seen.settings),
        )


def _labels(protect: Run) -> dict[int, bool]:
    """Whether the label that guided was the true one."""
    return {r["index"]: r.get("used_label") == r["label"] for r in protect.records}


def _told_apart(cells: Sequence[Cell]) -> list[Cell]:
    """The cells with words for settings in which those of one name differ."""
    made = []
    for how in dict.fromkeys(cell.how for cell in cells):
        own = [cell for cell in cells if cell.how == how]
        names = _differing([cell.settings for cell in own])
        for cell in own:
            words = [f"{name} {cell.settings.get(name)}" for name in names]
            made.append(cell._replace(how=", ".join([how, *words])))
    return sorted(made, key=lambda cell: (cell.how, cell.images))


def _differing(settings: Sequence[dict[str, Any]]) -> list[str]:
    """Names of those that are not the same for all, models left out."""
    names = {name for one in settings for name in one} - {"models"}
    return [n for n in sorted(names) if len({repr(one.get(n)) for one in settings}) > 1]


def _name(run: Run) -> str:
    """The model, and what stands in front of it."""
    front = defense_name(run.fields) or path_name(run.fields.get("denoiser"))
    name = model_name(run.fields) or "?"
    return f"{name} behind {front}" if front else name


def _images(seen: Seen, roots: Sequence[str | os.PathLike]) -> str:
    """The name of a protection, and how it was reverted.

    Reversions count as one kind where the attacker held the attacked model, whichever
    that is.
    """
    name = _below(seen.protect, roots)
    if seen.made is seen.protect:
        return name
    target = (seen.after.info.get("models") or {}).get("target")
    held = (seen.made.info.get("models") or {}).get("surrogate")
    surrogate = (seen.protect.info.get("models") or {}).get("surrogate")
    by = model_name(seen.made.fields) or "another model"
    by = "the surrogate" if held == surrogate else by
    by = "the target itself" if held == target else by
    rounds = seen.made.fields.get("rounds") or 1
    times = "" if rounds == 1 else f", {rounds} rounds"
    return f"{name}, reverted with {by}{times}"


def _below(run: Run, roots: Sequence[str | os.PathLike]) -> str:
    """The path of a run in the folder that the report is about."""
    for root in roots:
        folder, own = paths.resolved(paths.as_path(root)), paths.resolved(run.path)
        if own != folder and own.is_relative_to(folder):
            return own.relative_to(folder).as_posix()
    return run.name


def _verdicts(
    right: dict[int, bool], before: Outcomes, after: Outcomes
) -> tuple[np.ndarray, np.ndarray]:
    """Indices and verdicts of the images that all three know."""
    shared = sorted(set(after) & set(before) & set(right))
    rows = [(*before[i], *after[i], right[i]) for i in shared]
    return np.array(shared, int), np.array(rows, bool).reshape(-1, 5)
