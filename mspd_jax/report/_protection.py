"""The picture of a report: images of a protect run, and what became of them."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from mspd_jax import data, paths
from mspd_jax.errors import InputError, StoreError
from mspd_jax.report._comparison import Tile, amplified, comparison_picture
from mspd_jax.report._section import Section, section
from mspd_jax.report._seen import is_of, reads, source_of
from mspd_jax.runs import Run

_TITLES = (
    "original",
    "protected",
    "perturbation\n×10",
    "original,\nattacked",
    "protected,\nattacked",
)


class _Shown(NamedTuple):
    """A run, evaluations of its originals and its images, and an attack they saved.

    source: the originals. released: its images where they are no files of their own.
    """

    protect: Run
    source: data.Source | None
    released: data.Source | None
    before: Run | None
    after: Run | None
    attack: str | None


def protection_section(runs: Sequence[Run], *, images: int = 8) -> Section:
    """The first `images` of the first protect run among `runs`, side by side.

    Columns: original, protected, perturbation, and, where evaluations of these images
    are among the runs, what their target sees in each, with attacked images if they
    were saved. Without a protect run there is no picture and the text says why.
    """
    if not images:
        return Section("\nNo picture was asked for.\n")
    protect = next((r for r in runs if is_of(r, "protect")), None)
    if protect is None and any(is_of(run, "protect_pictures") for run in runs):
        return Section()  # they have a section of their own
    if protect is None:
        return Section("\nNo picture: no protect run with images is among the runs.\n")
    source, missing = _opened(*source_of(protect))
    after, before = _evaluations(runs, protect)
    records = [r for r in protect.records[:images] if "file" in r]
    alone = all(record.get("file") for record in records)
    released, _ = (None, "") if alone else _opened(f"folder:{protect.path}")
    attack = _strongest_attack(after, before)
    shown = _Shown(protect, source, released, before, after, attack)
    rows = [_row(record, shown) for record in records]
    used = [c for c in range(len(_TITLES)) if any(row[c] is not None for row in rows)]
    if not used:
        return Section(f"\nNo picture: the images of {protect.name} cannot be read.\n")
    grid = [[row[c] for c in used] for row in rows]
    png = comparison_picture(grid, [_TITLES[c] for c in used])
    text = f"First {len(rows)} images of `{protect.name}`.{_remarks(shown)}{missing}\n"
    alt = "original, protected, perturbation, attacked"
    return section(text, name="picture.png", png=png, alt=alt)


def _remarks(shown: _Shown) -> str:
    text = ""
    evaluation = shown.after or shown.before
    if evaluation is not None:
        attack = f", attack {shown.attack}" if shown.attack else ""
        text += f" Verdicts by the target of `{evaluation.name}`{attack}."
    if shown.attack is None:
        text += " For attacked images run evaluate with --save_images."
    return text


def _row(record: dict, shown: _Shown) -> list[Tile | None]:
    index, label = record["index"], record["label"]
    before, after = (_record(run, index) for run in (shown.before, shown.after))
    protected = _file(shown.protect, record)
    if not record.get("file"):
        protected = _original(shown.released, index)
    original = _original(shown.source, index)

    def tile(image: np.ndarray | None, found: Mapping[str, Any]) -> Tile | None:
        """The image, with the class that a model finds in it."""
        if image is None or "prediction" not in found:
            return None if image is None else Tile(image)
        prediction = found["prediction"]
        name = _class_name(shown.source, prediction)
        return Tile(image, name, prediction == label if label >= 0 else None)

    def attacked(run: Run | None, found: Mapping[str, Any]) -> Tile | None:
        outcome = found.get("attacks", {}).get(shown.attack) or {}
        return None if run is None else tile(_file(run, outcome), outcome)

    change = None
    if original is not None and protected is not None:
        change = Tile(amplified(protected, original))
    return [
        tile(original, before),
        tile(protected, after),
        change,
        attacked(shown.before, before),
        attacked(shown.after, after),
    ]


def _evaluations(runs: Sequence[Run], protect: Run) -> tuple[Run | None, Run | None]:
    """Evaluations of protected and original images, by one target if there are."""
    evaluations = [run for run in runs if is_of(run, "evaluate")]
    after = [run for run in evaluations if reads(run, protect)]
    before = [run for run in evaluations if source_of(run) == source_of(protect)]
    pairs: list[tuple[Run | None, Run | None]] = [
        (one, other)
        for one in after
        for other in before
        if one.info.get("models") == other.info.get("models")
    ]
    pairs += [(one, None) for one in after] + [(None, other) for other in before]
    return pairs[0] if pairs else (None, None)


def _strongest_attack(*evaluations: Run | None) -> str | None:
    """The strongest attack whose images were saved, by all runs if possible."""
    accuracy: dict[str, float] = {}
    saved = []
    for run in evaluations:
        if run is not None:
            outcomes = [record.get("attacks") or {} for record in run.records]
            saved.append({n for found in outcomes for n in found if "file" in found[n]})
            accuracy = ((run.summary or {}).get("attacks") or {}) | accuracy
    if not saved:
        return None
    names = set.intersection(*saved) or set.union(*saved)
    return min(names, key=lambda name: (accuracy.get(name, 1.0), name), default=None)


def _opened(spec: Any, data_dir: Any = None) -> tuple[data.Source | None, str]:
    """A source of originals or of what was made of them, or None and why."""
    try:
        return data.open_source(str(spec), data_dir=data_dir), ""
    except (InputError, StoreError) as error:
        return None, f" The originals are missing ({error})."


def _original(source: data.Source | None, index: int) -> np.ndarray | None:
    if source is None:
        return None
    positions = np.flatnonzero(source.indices == index)
    try:
        return source.read(int(positions[0])).image if len(positions) else None
    except InputError:
        return None


def _class_name(source: data.Source | None, label: int) -> str:
    names = () if source is None else source.class_names or ()
    return names[label] if label < len(names) else str(label)


def _record(run: Run | None, index: int) -> dict:
    if run is None:
        return {}
    return next(
        (run.records[p] for p in np.flatnonzero(run.records.indices == index)), {}
    )


def _file(run: Run, record: Mapping[str, Any]) -> np.ndarray | None:
    """The image that a run wrote for a record, None if it cannot be read."""
    if not record.get("file"):
        return None
    path = run.path / record["file"]
    if not paths.resolved(path).is_relative_to(paths.resolved(run.path)):
        return None  # a folder from elsewhere may not show what lies outside it
    try:
        return data.read_image(path)
    except InputError:
        return None
