"""Keeps what a table's command has found: its CSV files, and how they came about.

    python -m benchmarks.record --runs=OUT --results=results/transfer

Copies the CSV files of OUT/report and its like to the folder, and writes run.json
there: which commits and versions, on which kind of device, when, for how long, with
which seeds and how many images, from what the runs themselves say. --limit=128 keeps
the gains over the first images of those runs alone, as subset.csv, and those of
--attack.
"""

import json
import pathlib
import sys
from collections.abc import Iterable

from absl import app, flags

from mspd_jax import runs
from mspd_jax.errors import InputError
from mspd_jax.report import transfer_cells, transfer_csv

FLAGS = flags.FLAGS
flags.DEFINE_string("runs", None, "what the command was given as OUT", required=True)
flags.DEFINE_string("results", None, "the folder of the table", required=True)
flags.DEFINE_integer("limit", None, "keep the gains over the first images alone")
flags.DEFINE_string("attack", None, "with limit: keep what this attack found alone")


def main(_):
    made, results = pathlib.Path(FLAGS.runs), pathlib.Path(FLAGS.results)
    try:
        found = [run for run in runs.read_runs([str(made)]) if run.summary]
    except InputError as error:
        sys.exit(str(error))
    if not found:
        sys.exit(f"{made} holds no finished run")
    if FLAGS.limit:
        kept = [run for run in found if run.fields.get("attack") == FLAGS.attack]
        kept += [run for run in found if run.info.get("job") == "protect"]
        text = transfer_csv(transfer_cells(kept, [made]), limit=FLAGS.limit)
        (results / "subset.csv").write_text(text)
        return
    for file in sorted(made.glob("report*/*.csv")):
        text = without_folder(file.read_text(), made)
        (results / file.name).write_text(text)
    text = json.dumps(provenance(found), indent=2)
    (results / "run.json").write_text(text + "\n")


def without_folder(text: str, folder: pathlib.Path) -> str:
    """The text with OUT in the place of the folder of the runs."""
    return text.replace(str(folder.resolve()), "OUT").replace(str(folder), "OUT")


def provenance(found: list[runs.Run]) -> dict:
    """How runs came about: of each thing the values that occur."""
    infos = [run.info for run in found]
    started = sorted(info["started"] for info in infos)
    seconds = sum((run.summary or {}).get("seconds") or 0.0 for run in found)
    versions = [(info.get("versions") or {}).items() for info in infos]
    return {
        "runs": len(found),
        "started": [started[0], started[-1]],
        "minutes computing": round(seconds / 60, 1),
        "images": _values(len(run.records) for run in found if run.records),
        "seeds": _values(run.fields.get("seed") for run in found),
        "commits": _values(info.get("git_commit") for info in infos),
        "versions": _values(f"{n} {v}" for items in versions for n, v in items),
        "devices": _values(f"{i.get('devices')} x {i.get('device')}" for i in infos),
    }


def _values(found: Iterable) -> list:
    return sorted({value for value in found if value is not None})


if __name__ == "__main__":
    app.run(main)
