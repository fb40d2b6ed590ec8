"""metrics.jsonl: one line of JSON per finished epoch, also across interruptions."""

import json
import math
import pathlib

from mspd_jax.runs._log import append_log, json_lines
from mspd_jax.runs._write import write_file

_NAME = "metrics.jsonl"


def epoch_line(totals: dict, *, step: int, steps_per_epoch: int, **fields) -> dict:
    """What the log says of an epoch that ends with `step`: means over its batches."""
    means = {
        name: _number(float(value) / steps_per_epoch) for name, value in totals.items()
    }
    return {"epoch": step // steps_per_epoch, "step": step, **means, **fields}


def append_metrics(folder: pathlib.Path, line: dict) -> None:
    """Adds a line to the log in a run folder, through to the disk."""
    append_log(folder / _NAME, [line])


def read_metrics(folder: pathlib.Path) -> list[dict]:
    """The lines of the log in a run folder; a torn last line is left out."""
    path, lines = folder / _NAME, []
    if path.exists():
        for text in path.read_text(encoding="utf-8").splitlines():
            try:
                lines.append(json.loads(text))
            except ValueError:
                break
    return lines


def rewind_metrics(folder: pathlib.Path, step: int) -> None:
    """Drops the epochs after `step`: they are about to be trained again."""
    kept = [line for line in read_metrics(folder) if line["step"] <= step]
    if (folder / _NAME).exists():
        write_file(folder / _NAME, json_lines(kept).encode())


def _number(value: float) -> float | None:
    return round(value, 6) if math.isfinite(value) else None
