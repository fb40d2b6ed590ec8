"""Keeps what a table's command has found: its CSV files, and how they came about.

    python -m benchmarks.record --runs=OUT --results=results/transfer

Copies OUT/report/*.csv to the folder, and writes run.json there: which commits and
versions, on what, when, for how long, with which seeds and how many images, from what
the runs themselves say. Nothing in it names a machine or a folder of it. --limit=128
keeps transfer.csv of the first images alone, as subset.csv.
"""

import json
import pathlib
import shutil

from absl import app, flags

from benchmarks import _measure
from mspd_jax import runs
from mspd_jax.report import transfer_csv

FLAGS = flags.FLAGS
flags.DEFINE_string("runs", None, "what the command was given as OUT", required=True)
flags.DEFINE_string("results", None, "the folder of the table", required=True)
flags.DEFINE_integer("limit", None, "keep the gains over the first images alone")


def main(_):
    made, results = pathlib.Path(FLAGS.runs), pathlib.Path(FLAGS.results)
    found = [run for run in runs.read_runs([str(made)]) if run.summary]
    if FLAGS.limit:
        text = transfer_csv(found, limit=FLAGS.limit)
        (results / "subset.csv").write_text(text)
        return
    for file in sorted((made / "report").glob("*.csv")):
        shutil.copy(file, results)
    text = json.dumps(provenance(found), indent=2)
    (results / "run.json").write_text(text + "\n")


def provenance(found: list[runs.Run]) -> dict:
    """How runs came about: shared values, or the list of those that occur."""
    infos = [run.info for run in found]
    started = sorted(info["started"] for info in infos)
    seconds = sum((run.summary or {}).get("seconds") or 0.0 for run in found)
    images = {len(run.records) for run in found if run.records}
    return {
        "runs": len(found),
        "from": started[0],
        "to": started[-1],
        "minutes": round(seconds / 60, 1),
        "images": sorted(images),
        "seeds": _values(run.fields.get("seed") for run in found),
        "commits": _values(info.get("git_commit") for info in infos),
        "versions": infos[-1].get("versions"),
        "platforms": _values(info.get("platform") for info in infos),
        "devices": _values(info.get("devices") for info in infos),
        "machine": _measure.surroundings("jax"),
    }


def _values(found) -> list:
    return sorted({value for value in found if value is not None})


if __name__ == "__main__":
    app.run(main)
