"""The identity of a run is its job's fields, its models and its data."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.tree_util import Partial

from mspd_jax import data, jobs, models
from mspd_jax.jobs import fields_of, identity, job_name, option
from mspd_jax.jobs._frame import Kinds, run_over_images


@dataclasses.dataclass(frozen=True)
class Pen:
    NAME = "pen"
    width: int = option(3, help="of the line")


@dataclasses.dataclass(frozen=True, kw_only=True)
class DrawPicture:
    seed: int = option(0, help="seed")
    tool: Pen | None = option(Pen(), help="what with")


def test_names_follow_the_class():
    assert job_name(DrawPicture) == "draw_picture"
    assert job_name(jobs.Protect) == "protect"


def test_a_nested_choice_stands_beside_the_other_fields():
    assert fields_of(DrawPicture()) == {"seed": 0, "tool": "pen", "width": 3}
    assert fields_of(DrawPicture(tool=None)) == {"seed": 0, "tool": None}


def test_every_field_of_a_job_is_in_its_identity():
    job = jobs.Protect(source="digits:test", surrogate="A", eps="8/255")
    found = identity(job, {}, block=4)
    assert found["job"] == "protect" and found["block"] == 4
    # A recipe is the draws that it stands for.
    names = {field.name for field in dataclasses.fields(jobs.Protect)} - {"recipe"}
    later = {"precision": "tf32", "format": "arrayrecord", "more_surrogates": ("B",)}
    later |= {"outer_steps": 2, "inner_steps": 3, "outer_rate": 0.5}
    # As it was before these fields came, so that a run that began then goes on.
    assert found["fields"].keys() == names - later.keys()
    rough = dataclasses.replace(job, **later)
    assert identity(rough, {})["fields"].keys() == names
    assert found["fields"]["eps"] == "8/255"


def network(weights, image):
    return image.ravel() @ weights


def test_values_are_named_and_models_hashed_by_what_they_compute():
    source = data.from_arrays(np.zeros((2, 2, 2, 1), np.uint8), np.zeros(2, np.int32))
    predict = Partial(network, jnp.ones((4, 3)))
    job = jobs.Evaluate(target=predict, source=source, eps=0.1)
    fields = fields_of(job)
    assert fields["target"].endswith("identity_test.network")
    assert fields["source"] == "arrays"
    spec = models.ModelSpec(
        "small_cnn", {"widths": [4]}, (0.0,), (1.0,), 10, (8, 8, 1), {}
    )
    model = models.create_model(jax.random.key(0), spec)
    assert fields_of(dataclasses.replace(job, target=model))["target"] == "small_cnn"


def test_a_job_without_the_fields_that_are_added_is_refused_before_it_runs(tmp_path):
    class Thin(NamedTuple):
        images: int

    source = data.from_arrays(np.zeros((2, 2, 2, 1), np.uint8), np.zeros(2, np.int32))
    nothing = dict.fromkeys(("predict", "method", "describe", "summarize"))
    with pytest.raises(TypeError, match="Thin needs the fields compile_seconds"):
        run_over_images(
            DrawPicture(),
            tmp_path / "out",
            jobs.Machine(),
            source=source,
            used={},
            kinds=Kinds(Thin, Thin),
            block=1,
            **nothing,
        )
    assert not (tmp_path / "out").exists()


class Streamed(DrawPicture):
    NAME = "protect"  # whose random numbers it takes


class Totals(NamedTuple):
    images: int
    seconds: float
    images_computed: int
    images_per_second: float | None
    compile_seconds: float
    warnings: list[str]


class Line(NamedTuple):
    index: int
    label: int
    source_digest: str | None
    width: int


@pytest.mark.parametrize(
    ("fields", "error", "words"),
    [
        ({"width": 1, "height": 2}, KeyError, "Line has no field height"),
        ({}, TypeError, "missing 1 required positional argument: 'width'"),
    ],
)
def test_a_record_that_is_not_described_stops_the_first_image(
    tmp_path, fields, error, words
):
    source = data.from_arrays(np.zeros((2, 2, 2, 1), np.uint8), np.zeros(2, np.int32))
    with pytest.raises(error, match=words):
        run_over_images(
            Streamed(),
            tmp_path / "out",
            jobs.Machine(),
            source=source,
            predict=Partial(network, jnp.ones((4, 3))),
            method=lambda key, predict, image, label: predict(image),
            describe=lambda record, result: fields,
            summarize=lambda records: {},
            used={},
            kinds=Kinds(Totals, Line),
            block=1,
        )
    assert not (tmp_path / "out" / "summary.json").exists()
