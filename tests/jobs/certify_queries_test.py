"""Certificates of a classifier that is asked: the same, and nothing asked twice."""

import dataclasses
import json

import jax
import numpy as np

from mspd_jax import jobs, query
from mspd_jax.jobs._certify_queries import _without_secrets
from tests.jobs.certifying import NOISE, NOISY, PREDICT, SOURCE


def test_a_function_that_is_asked_has_the_votes_of_the_model(tmp_path):
    ask = jax.jit(jax.vmap(PREDICT))
    asked = []

    def classify(images):
        asked.append(len(images))
        padded = np.zeros((32, 8, 8, 1), np.float32)
        padded[: len(images)] = images
        return np.asarray(ask(padded))[: len(images)]

    classifier = query.Classifier("mine?token=x", classify, lambda: None)
    asking = jobs.Asking(query=classifier, num_classes=10)
    method = dataclasses.replace(NOISE, asking=asking)
    job = jobs.Certify(source=SOURCE, method=method)
    found = job.run(tmp_path / "out")
    assert found.records == NOISY.run(tmp_path / "model").records
    assert sum(asked) == sum(20 + record.drawn for record in found.records)
    # From the answers alone.
    machine = jobs.CertifyMachine(offline=True, query_log=tmp_path / "out")
    assert job.run(tmp_path / "again", machine).records == found.records
    assert sum(asked) == sum(20 + record.drawn for record in found.records)
    fields = json.loads((tmp_path / "out" / "run.json").read_text())["fields"]
    assert (fields["query"], fields["num_classes"]) == ("mine?token=x", 10)


def test_an_address_is_noted_without_what_may_be_secret_in_it():
    address = "https://host/path?token=secret"
    asking = jobs.Asking(query=address, num_classes=10)
    method = dataclasses.replace(NOISE, asking=asking)
    job = jobs.Certify(source=SOURCE, method=method)
    name = query.open_classifier(address).name
    fields = jobs.fields_of(_without_secrets(job, name))
    assert "secret" not in json.dumps(fields)
    assert fields["query"].startswith("https://host/path?sha256=")
