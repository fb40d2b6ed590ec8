"""Looking published models up from research code."""

from mspd_jax import jobs, models


def test_only_what_was_asked_for():
    rows = jobs.ListPublished(dataset="cifar100", threat="Linf").run()
    assert len(rows) == 38
    assert {(row.dataset, row.threat) for row in rows} == {("cifar100", "Linf")}
    assert len(jobs.ListPublished(threat="L2").run()) == 21
    assert jobs.ListPublished().run() == models.published_models()
