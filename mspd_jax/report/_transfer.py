"""What a protection gains on each model that its images were shown to."""

import functools
import os
from collections.abc import Iterator, Sequence
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
    pairs = [(seen, _images(seen, roots)) for seen in seen_images(runs)]
    found: dict[tuple, Cell] = {}
    for cell in (cell for seen, images in pairs for cell in _cells(seen, images)):
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


def _cells(seen: Seen, images: str) -> Iterator[Cell]:
    """One for each question that the evaluations answer."""
    target = (seen.after.info.get("models") or {}).get("target")
    guides = set((seen.protect.info.get("models") or {}).values())
    before, after = outcomes(seen.before), outcomes(seen.after)
    for how in after:
        indices, verdicts = _verdicts(seen.protect, before[how], after[how])
        yield Cell(
            images=images,
            target=_name(seen.after),
            how=how,
            guided=target in guides,
            indices=indices,
            verdicts=verdicts,
            settings=dict(seen.settings),
        )


def _told_apart(cells: Sequence[Cell]) -> list[Cell]:
    """The cells with words for settings in which those of one name differ."""
    made = []
    for cell in cells:
        fellows = [other.settings for other in cells if other.how == cell.how]
        names = {name for settings in fellows for name in settings} - {"models"}
        apart = [
            f"{name} {cell.settings.get(name)}"
            for name in sorted(names)
            if len({repr(settings.get(name)) for settings in fellows}) > 1
        ]
        made.append(cell._replace(how=", ".join([cell.how, *apart])))
    return sorted(made, key=lambda cell: (cell.how, cell.images))


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
    protect: Run, before: Outcomes, after: Outcomes
) -> tuple[np.ndarray, np.ndarray]:
    """Indices and verdicts of the images that all three know."""
    labels = {r["index"]: r.get("used_label") == r["label"] for r in protect.records}
    shared = sorted(set(after) & set(before) & set(labels))
    rows = [(*before[i], *after[i], labels[i]) for i in shared]
    return np.array(shared, int), np.array(rows, bool).reshape(-1, 5)
