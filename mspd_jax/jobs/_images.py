"""The fields that all jobs over images share."""

import dataclasses

from mspd_jax.jobs._option import option
from mspd_jax.jobs._values import SourceInput


@dataclasses.dataclass(frozen=True, kw_only=True)
class Images:
    """The fields of every job over images."""

    source: SourceInput = option(
        help="where the images come from: digits:test (embedded), tfds:NAME:SPLIT, "
        "folder:PATH (class folders, files like 00042_7.png, unlabeled photos, or the "
        "output of protect), npz:PATH (arrays x, y) or arrayrecord:PATH (the output of "
        "protect as one data set); with a rule before it, as in "
        "resize256-crop224-bicubic:folder:PATH, resized as published evaluations do; a "
        "PATH may be gs:// or s3://"
    )
    data_dir: str | None = option(
        None, help="folder of prepared TFDS data sets, for tfds: sources"
    )
    limit: int | None = option(None, help="use the first LIMIT images only", lower=1)
    seed: int = option(0, help="seed of all randomness")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shardable(Images):
    """The fields of jobs whose result for an image does not depend on the others."""

    shard: str | None = option(
        None,
        help="use one part of consecutive images only: 3/8 is the third of eight; "
        "images keep their index, so that the parts together are the whole run",
    )
