"""What a protection gains on each model that its images were shown to."""

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

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
      verdicts: bool [n, 5]: right and robust before, right and robust after, and
        whether the label that guided was the true one. Robust is certified, too.
    """

    images: str
    target: str
    how: str
    guided: bool
    verdicts: np.ndarray

    def gain(self, what: str = "robust") -> np.ndarray:
        """Of each image +1, 0 or -1, float [n]."""
        column = 1 if what == "robust" else 0
        after, before = self.verdicts[:, column + 2], self.verdicts[:, column]
        return after.astype(float) - before.astype(float)


def transfer_cells(runs: Sequence[Run]) -> list[Cell]:
    """The cells of all pairs of evaluations that differ in the images alone."""
    found = [cell for seen in seen_images(runs) for cell in _cells(seen)]
    return [cell for cell in found if len(cell.verdicts)]


class Gain(NamedTuple):
    """A mean over models that did not guide, and its 95 % interval over the images.

    The choice of the models is not in the interval.
    """

    mean: float
    half: float


def mean_gain(cells: Sequence[Cell], what: str = "robust") -> Gain:
    """The gain over models, which share the images."""
    count = min(len(cell.verdicts) for cell in cells)
    over_models = np.mean([cell.gain(what)[:count] for cell in cells], axis=0)
    spread = over_models.std(ddof=1) if count > 1 else float("nan")
    return Gain(float(over_models.mean()), float(1.96 * spread / np.sqrt(count)))


def by_labels(cells: Sequence[Cell]) -> tuple[float | None, float | None]:
    """Mean gain of robust accuracy where the label was right, and where it was not."""
    gains = np.concatenate([cell.gain() for cell in cells])
    right = np.concatenate([cell.verdicts[:, 4] for cell in cells]).astype(bool)
    return _mean(gains[right]), _mean(gains[~right])


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None


def grouped_cells(cells: Sequence[Cell]) -> dict[str, list[Cell]]:
    """The cells of each attack."""
    ordered = sorted(cells, key=lambda cell: cell.how)
    groups = itertools.groupby(ordered, key=lambda cell: cell.how)
    return {how: list(found) for how, found in groups}


def _cells(seen: Seen) -> Iterator[Cell]:
    """One for each question that the evaluations answer."""
    target = (seen.after.info.get("models") or {}).get("target")
    guides = set((seen.protect.info.get("models") or {}).values())
    before, after = outcomes(seen.before), outcomes(seen.after)
    for how in after:
        yield Cell(
            images=_images(seen, target),
            target=_name(seen.after),
            how=how,
            guided=target in guides,
            verdicts=_verdicts(seen.protect, before[how], after[how]),
        )


def _name(run: Run) -> str:
    """The model, and what stands in front of it."""
    front = defense_name(run.fields) or path_name(run.fields.get("denoiser"))
    name = model_name(run.fields) or "?"
    return f"{name} behind {front}" if front else name


def _images(seen: Seen, target: str | None) -> str:
    """The name of a protection, or how it was reverted.

    Reversions count as one kind where the attacker held the attacked model, whichever
    that is, and where it held another one that is not the surrogate.
    """
    if seen.made is seen.protect:
        return seen.made.name
    held = (seen.made.info.get("models") or {}).get("surrogate")
    surrogate = (seen.protect.info.get("models") or {}).get("surrogate")
    by = "the surrogate" if held == surrogate else "another model"
    by = "the target itself" if held == target else by
    rounds = seen.made.fields.get("rounds") or 1
    times = "" if rounds == 1 else f", {rounds} rounds"
    return f"{seen.protect.name}, reverted with {by}{times}"


def _verdicts(protect: Run, before: Outcomes, after: Outcomes) -> np.ndarray:
    labels = {r["index"]: r.get("used_label") == r["label"] for r in protect.records}
    shared = [index for index in after if index in before and index in labels]
    rows = [(*before[i], *after[i], labels[i]) for i in shared]
    return np.array(rows, bool).reshape(-1, 5)
