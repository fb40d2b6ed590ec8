"""The whole story on embedded data: train, protect, attack, revert, report.

    python -m launch.quickstart --out=OUT

Trains a robust surrogate and two robust models that the surrogate never meets, on 8x8
digits; protects the test images with MSPD (and some with the slow bi-level baseline),
reverts the protection, attacks everything, and prints one table; protects a photograph
at its own size by the model that ships. OUT/report.md, OUT/picture.png and
OUT/album.png show the same; OUT/mspd/images holds the protected images. A minute
on two CPU cores, no download. Interrupted, the same command goes on.
"""

from launch import _main
from mspd_jax import jobs


def show(story: jobs.Story) -> int:
    """Prints the table."""
    print(f"\n{story.table}{story.note}")
    print(
        f"{story.seconds:.0f} s; see {story.folder}/report.md, picture.png, album.png"
    )
    return 0


if __name__ == "__main__":
    _main.run_job(jobs.Quickstart, show=show, default_out="runs/quickstart")
