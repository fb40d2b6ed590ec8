"""metrics.jsonl: one line of JSON per finished epoch, also across interruptions."""

import json
import math
import pathlib
from collections.abc import Iterable

from mspd_jax import paths
from mspd_jax.runs._log import (
    append_log,
    json_lines,
    lines_of,
    log_files,
    log_lines,
    open_log,
)
from mspd_jax.runs._write import write_file

_NAME = "metrics"


def epoch_line(totals: dict, *, step: int, steps_per_epoch: int, **fields) -> dict:
    """What the log says of an epoch that ends with `step`: means over its batches."""
    means = {
        name: _number(float(value) / steps_per_epoch) for name, value in totals.items()
    }
    return {"epoch": step // steps_per_epoch, "step": step, **means, **fields}


def append_metrics(folder: pathlib.PurePath, line: dict) -> None:
    """Adds a line to the log in a run folder, through to the disk."""
    append_log(open_log(folder, _NAME), [line])


def read_metrics(folder: pathlib.PurePath) -> list[dict]:
    """The lines of the log in a run folder; a torn last line is left out."""
    return _by_step(log_lines(folder, _NAME))


def rewind_metrics(folder: pathlib.PurePath, step: int) -> None:
    """Drops the epochs after `step`: they are about to be trained again."""
    files = log_files(folder, _NAME)
    if not files:
        return
    kept = [line for line in _by_step(lines_of(files)) if line["step"] <= step]
    whole = folder / f"{_NAME}.jsonl"
    write_file(whole, json_lines(kept).encode())
    paths.remove(file for file in files if file != whole)


def close_metrics(folder: pathlib.PurePath) -> None:
    """Makes one file of the log of a training that is done; on the disk it is one."""
    lines = read_metrics(folder) if paths.is_store(folder) else []
    if lines:
        rewind_metrics(folder, lines[-1]["step"])


def _by_step(lines: Iterable[str]) -> list[dict]:
    found: dict[int, dict] = {}
    for text in lines:
        try:
            line = json.loads(text)
        except ValueError:
            break
        found[line["step"]] = line
    return [found[step] for step in sorted(found)]


def _number(value: float) -> float | None:
    return round(value, 6) if math.isfinite(value) else None
