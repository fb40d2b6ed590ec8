r"""Protects images before they are released (MSPD, arXiv 2407.15524).

    python -m launch.protect --source=photos/ --out=OUT
    python -m launch.protect --source=tfds:cifar10:test --surrogate=CKPT --eps=8/255 \
        --labeler=CKPT2 --out=OUT

Of a source without a scheme (a file, a folder, a pattern) each picture keeps its own
size, kind and name; `--source=. --help` lists the flags for pictures, docs/pictures.md
says more, and --preview shows what a picture becomes. Any other source is a data set
for a model of its size: every protected image becomes an 8-bit PNG in OUT/images.
OUT/records.jsonl holds the distances measured on the written files. The surrogate must
be adversarially trained, or nothing transfers; the labeler should be accurate.
Interrupted, the same command goes on where it stopped.
"""

import sys

from launch import _main, _show
from mspd_jax import jobs

_PREVIEW = (
    "write OUT/preview.png alone: the middle of the first picture before and after, "
    "and ten times the difference"
)

if __name__ == "__main__":
    if _main.names_files(sys.argv):
        looks = "--preview" in sys.argv
        _main.run_job(
            jobs.ProtectPictures,
            show=_show.preview if looks else _show.pictures,
            method="preview" if looks else "run",
            switches={"preview": _PREVIEW},
        )
    else:
        _main.run_job(jobs.Protect)
