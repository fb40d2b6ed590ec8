"""The picture of a report: images of a protect run, and what became of them."""

import pathlib
from collections.abc import Sequence

import numpy as np

from mspd_jax import data
from mspd_jax.errors import InputError
from mspd_jax.evaluate import Tile, amplified, comparison_picture
from mspd_jax.runs import Run

TITLES = (
    "original",
    "protected",
    "perturbation\n×10",
    "original,\nattacked",
    "protected,\nattacked",
)


def picture(runs: Sequence[Run], *, count: int) -> tuple[bytes | None, str]:
    """PNG bytes for the first protect run among `runs`, and a line on what it shows.

    Columns: original, protected, perturbation, and, where evaluations of these images
    are among the runs, what their target sees in each, with attacked images if they
    were saved. Without a protect run there is no picture and the line says why.
    """
    protect = next(
        (r for r in runs if r.info.get("job") == "protect" and r.records), None
    )
    if protect is None:
        return None, "No picture: no protect run with images is among the runs."
    evaluations = [r for r in runs if r.info.get("job") == "evaluate" and r.records]
    of_protected = [r for r in evaluations if _reads(r, protect)]
    of_original = [r for r in evaluations if _source_of(r) == _source_of(protect)]
    after, before = _same_target(of_protected, of_original)
    source, missing = _open(protect)
    records = [r for r in protect.records if r.get("file")][:count]
    attack = _attack_with_images(after, before)
    rows = [_row(record, protect, source, before, after, attack) for record in records]
    shown = [c for c in range(len(TITLES)) if any(row[c] is not None for row in rows)]
    rows = [[row[c] for c in shown] for row in rows]
    if not rows or not shown:
        return None, f"No picture: the images of {protect.name} cannot be read."
    line = f"First {len(rows)} images of `{protect.name}`."
    judge = after or before
    if judge is not None:
        line += f" Verdicts by the target of `{judge.name}`"
        line += f", attack {attack}." if attack else "."
    if attack is None:
        line += " For attacked images run evaluate with --save_images."
    return comparison_picture(rows, [TITLES[c] for c in shown]), line + missing


def _row(record, protect, source, before, after, attack) -> list[Tile | None]:
    index, label = record["index"], record["label"]
    protected = _read(protect.path, record)
    original = _original(source, index)

    def judged(image, run, name=None):
        if image is None:
            return None
        told = _record(run, index)
        told = told if name is None or told is None else told["attacks"].get(name)
        if told is None or "prediction" not in told:
            return Tile(image)
        seen = told["prediction"]
        return Tile(image, _name(source, seen), seen == label if label >= 0 else None)

    def attacked(run):
        told = _record(run, index)
        if told is None or attack is None:
            return None
        verdict = told["attacks"].get(attack) or {}
        return judged(_read(run.path, verdict), run, attack)

    change = None
    if original is not None and protected is not None:
        change = Tile(amplified(protected, original))
    return [
        judged(original, before), judged(protected, after), change,
        attacked(before), attacked(after),
    ]  # fmt: skip


def _reads(run: Run, protect: Run) -> bool:
    scheme, _, rest = str(run.flags.get("source")).partition(":")
    return scheme == "folder" and pathlib.Path(rest).resolve() in (
        protect.path.resolve(),
        (protect.path / "images").resolve(),
    )


def _source_of(run: Run) -> tuple:
    return run.flags.get("source"), run.flags.get("data_dir")


def _same_target(after: list[Run], before: list[Run]) -> tuple[Run | None, Run | None]:
    """Evaluations of protected and original images by one target, if there are."""
    for one in after:
        for other in before:
            if one.info.get("models") == other.info.get("models"):
                return one, other
    if after:
        return after[0], None
    return None, before[0] if before else None


def _attack_with_images(*runs: Run | None) -> str | None:
    """The strongest attack whose images were saved, by all runs if possible."""
    accuracy, saved = {}, []
    for run in runs:
        if run is not None:
            told = (record.get("attacks") or {} for record in run.records)
            saved.append(
                {n for attacks in told for n in attacks if "file" in attacks[n]}
            )
            accuracy = ((run.summary or {}).get("attacks") or {}) | accuracy
    if not saved:
        return None
    names = set.intersection(*saved) or set.union(*saved)
    return min(names, key=lambda name: (accuracy.get(name, 1.0), name), default=None)


def _open(protect: Run) -> tuple[data.Source | None, str]:
    """The source that was protected, or None and why."""
    spec, data_dir = _source_of(protect)
    try:
        return data.open_source(str(spec), data_dir=data_dir), ""
    except InputError as error:
        return None, f" The originals are missing ({error})."


def _original(source: data.Source | None, index: int) -> np.ndarray | None:
    positions = [] if source is None else np.flatnonzero(source.indices == index)
    try:
        return source.read(int(positions[0])).image if len(positions) else None
    except InputError:
        return None


def _name(source: data.Source | None, label: int) -> str:
    names = () if source is None else source.class_names or ()
    return names[label] if label < len(names) else str(label)


def _record(run: Run | None, index: int) -> dict | None:
    records = [] if run is None else run.records
    return next((r for r in records if r["index"] == index), None)


def _read(folder: pathlib.Path, record: dict) -> np.ndarray | None:
    if "file" not in record:
        return None
    path = folder / record["file"]
    if not path.resolve().is_relative_to(folder.resolve()):
        return None  # a folder from elsewhere may not show what lies outside it
    try:
        return data.read_image(path)
    except InputError:
        return None
