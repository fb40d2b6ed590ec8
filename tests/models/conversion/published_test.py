"""The table of published models: whole, buildable, found by name."""

import math

import jax
import pytest

from mspd_jax import models
from mspd_jax.errors import InputError
from mspd_jax.models._architectures import complete_options, split_name
from mspd_jax.models._initialize import variable_shapes
from mspd_jax.resizing import parse_rule
from tests.models.networks.cifar10_networks import spec

ROWS = models.published_models()


def test_names_are_unique():
    names = [row.name for row in ROWS]
    assert len(set(names)) == len(names)
    assert len([row for row in ROWS if row.dataset == "imagenet"]) == 42


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_rows_are_sound(row):
    for accuracy in (row.clean, row.robust):
        assert accuracy is None or 0 <= accuracy <= 100
    if row.architecture:
        split_name(row.architecture)
        complete_options(row.architecture, row.options)
        assert len(row.mean) == len(row.std) == 3 and min(row.std) > 0
        assert all(len(digest) == 64 for digest in row.sha256)
    assert bool(row.resize) == (row.dataset == "imagenet")
    if row.resize:
        assert parse_rule(row.resize).size == (row.image_size, row.image_size)


@pytest.mark.parametrize(
    ("architecture", "millions"),
    [("plain_wide_resnet34_10", 46.2), ("wide_resnet70_16", 266.8)],
)
def test_sizes_are_those_of_the_papers(architecture, millions):
    row = next(row for row in ROWS if row.architecture == architecture)
    module = models.build_module(spec(architecture, **row.options))
    shapes = variable_shapes(module, (32, 32, 3))["params"]
    count = sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(shapes)) / 1e6
    assert count == pytest.approx(millions, abs=0.05)


def test_a_model_is_found_by_its_identifier_or_its_whole_name():
    row = models.find_published("Gowal2021Improving_R18_ddpm_100m")
    assert (row.clean, row.robust, row.eps) == (87.35, 58.50, "8/255")
    assert row.architecture == "preact_resnet18"
    assert models.find_published(row.name) is row
    l2 = models.find_published("cifar10/L2/Rice2020Overfitting")
    assert l2.options == {"final_norm": True, "shortcut": "activated"}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Rice2020Overfitting", "of several models: use cifar10/Linf/Rice2020"),
        ("Gowal2021Improving_R18_ddpm_100", "did you mean Gowal2021Improving_R18_ddpm"),
        ("", "no published model ''"),
        ("Rice2020Overfittin", "did you mean cifar10/Linf/Rice2020Overfitting or "),
        ("cifar10/L2/Rice2020Overfittin", "cifar10/L2/Rice2020Overfitting"),
    ],
)
def test_any_other_name_is_refused(name, expected):
    with pytest.raises(InputError, match=expected) as caught:
        models.find_published(name)
    assert "\n" not in str(caught.value)
