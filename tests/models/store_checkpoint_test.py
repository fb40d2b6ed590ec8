"""Checkpoints of models in a store: what is saved loads, anything else is refused."""

import functools

import jax
import numpy as np
import pytest
from jax.experimental import multihost_utils

from mspd_jax import models, paths
from mspd_jax.errors import InputError
from tests.models.checkpoint_test import make

WHERE = paths.as_path("s3://b/run/model")


@functools.cache
def model():
    return make()


def other():
    return model()._replace(variables=jax.tree.map(lambda x: x + 1, model().variables))


def test_what_is_saved_loads(bucket):
    models.save_model(str(WHERE), model())
    for name in (str(WHERE), str(WHERE.parent), WHERE):
        found = models.load_model(name)
        assert found.spec == model().spec
        jax.tree.map(np.testing.assert_array_equal, found.variables, model().variables)
    puts = [str(path) for what, path in bucket.requests if what == "put"]
    assert puts[0].endswith("_UNFINISHED") and puts[-1].endswith(paths.SUMS)


def test_a_checkpoint_is_replaced_only_on_demand(bucket):
    models.save_model(WHERE, model())
    with pytest.raises(InputError, match="s3://b/run/model exists: name another"):
        models.save_model(WHERE, other())
    models.save_model(WHERE, other(), overwrite=True)
    assert models.model_hash(models.load_model(WHERE)) == models.model_hash(other())
    paths.write_object(paths.as_path("s3://b/mine/x.txt"), b"keep me")
    with pytest.raises(InputError, match="exists and is not a model"):
        models.save_model("s3://b/mine", model(), overwrite=True)


def test_of_several_processes_all_have_looked_before_one_writes(bucket, monkeypatch):
    waited = []
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    monkeypatch.setattr(jax, "process_index", lambda: 1)
    monkeypatch.setattr(
        multihost_utils,
        "sync_global_devices",
        lambda where: waited.append((where.split()[0], len(bucket.requests) > 0)),
    )
    models.save_model(WHERE, model())
    assert waited == [("free", True), ("saved", True)]
    assert not [what for what, _ in bucket.requests if what == "put"]


def test_what_is_damaged_or_not_whole_is_refused(bucket):
    models.save_model(WHERE, model())
    place = next(key for key in bucket.store if key.endswith("_METADATA"))
    bucket.store[place].write(b"?")
    with pytest.raises(InputError, match="model is damaged: .*not the file that was"):
        models.load_model(WHERE)
    bucket.store.pop(f"/b/run/model/{paths.SUMS}")
    with pytest.raises(InputError, match="not a whole one of a model: no SHA256SUMS"):
        models.load_model(WHERE)
    with pytest.raises(InputError, match="no model 's3://b/none': there is no s3://b"):
        models.load_model("s3://b/none")


@pytest.mark.slow
def test_a_killed_upload_is_taken_up_by_the_same_call(bucket):
    def die(what, path):
        if what == "put" and str(path).endswith("_CHECKPOINT_METADATA"):
            raise KeyboardInterrupt

    bucket.fails = staticmethod(die)
    with pytest.raises(KeyboardInterrupt):
        models.save_model(WHERE, model())
    bucket.fails = None
    models.save_model(WHERE, model())
    assert models.model_hash(models.load_model(WHERE)) == models.model_hash(model())
