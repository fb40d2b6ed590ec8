"""Jobs out of flat fields: the way back of `fields_of`, and what is refused."""

import pytest

from mspd_jax import jobs
from mspd_jax.errors import InputError
from mspd_jax.jobs import fields_of, job_of

PROTECT = {"source": "digits:test", "surrogate": "A", "eps": "8/255"}
CERTIFY = {"source": "digits:test", "target": "A", "sigma": 0.25}
SAME = [
    jobs.Protect(
        source="digits:test", surrogate="A", eps=0.1, samples=5, antithetic=True
    ),
    jobs.Evaluate(source="folder:X", target="A", eps="8/255", shard="2/3"),
    jobs.Certify(source="digits:test", target="A", method=jobs.Smoothing(sigma=0.5)),
    jobs.Certify(
        source="digits:test",
        target="A",
        method=jobs.Denoised(sigma=0.5, denoiser="D", radius=0.25),
    ),
    jobs.Certify(
        source="digits:test",
        method=jobs.Smoothing(
            sigma=0.5, asking=jobs.Asking(query="https://h/p", num_classes=3)
        ),
    ),
    jobs.Certify(
        source="digits:test",
        target="A",
        method=jobs.ScaleCert(patch=2, attacks=jobs.PatchAttacks(attack=("pgd",))),
    ),
    jobs.TrainClassifier(source="digits:train", arch="small_cnn", epochs=2),
    jobs.TrainTRN(source="digits:train", classifier="A", eps="0.1,0.2"),
    jobs.Convert(torch="F", arch="resnet20", image_shape="8,8,1"),
]


def test_a_recipe_comes_back_as_its_draws():
    job = jobs.Protect(source="digits:test", surrogate="A", eps=0.1, recipe="paper")
    made, _ = job_of(jobs.Protect, fields_of(job))
    assert (made.samples, made.antithetic) == (20, False)
    assert fields_of(made) == fields_of(job)


@pytest.mark.parametrize("job", SAME, ids=lambda job: type(job).__name__)
def test_a_job_comes_back_from_its_fields(job):
    made, machine = job_of(type(job), fields_of(job))
    assert made == job
    assert machine == job.MACHINE


def test_texts_become_what_fields_hold():
    texts = {"samples": "4", "antithetic": "true", "learning_rate": "1/2"}
    job, machine = job_of(jobs.Protect, PROTECT | texts | {"batch_size": "7"})
    assert (job.samples, job.antithetic, job.learning_rate) == (4, True, 0.5)
    assert (job.eps, machine.batch_size) == ("8/255", 7)
    job, _ = job_of(jobs.Report, {"runs": "a,b"})
    assert job.runs == ("a", "b")


@pytest.mark.parametrize(
    ("kind", "fields", "words"),
    [
        (jobs.Protect, {"epss": 1}, "protect has no field `epss`: did you mean `eps`?"),
        (jobs.Protect, {"samples": "many"}, "`samples`=many: expected a whole number"),
        (jobs.Protect, {"samples": 2.5}, "`samples`=2.5: expected a whole number"),
        (jobs.Protect, {"samples": True}, "`samples`=True: expected a whole number"),
        (jobs.Protect, {"samples": 0}, "a whole number of at least 1"),
        (jobs.Protect, {"steps": None}, "`steps`=None: expected a value"),
        (jobs.Protect, {"norm": "l7"}, "`norm`=l7: expected one of linf, l2"),
        (jobs.Protect, {"antithetic": "maybe"}, "expected true or false"),
        (jobs.Protect, {"learning_rate": "1/0"}, "`learning_rate`=1/0: expected a num"),
        (jobs.Protect, {"eps": None}, "`eps`=None: expected a value"),
        (jobs.Report, {}, "`runs` is required"),
        (jobs.Certify, {"method": "smooth"}, "`method`=smooth: expected one of"),
        (jobs.Certify, {"denoiser": "D"}, "`denoiser` does not go with `method`=smoo"),
        (jobs.Certify, {"sigma": None}, "needs `sigma`, as in `sigma`=0.25"),
        (jobs.Certify, {"num_classes": 3}, "`num_classes` goes with `query` alone"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_line(kind, fields, words):
    base = {jobs.Protect: PROTECT, jobs.Certify: CERTIFY}.get(kind, {})
    with pytest.raises(InputError) as caught:
        job_of(kind, base | fields)
    assert words in str(caught.value) and "\n" not in str(caught.value)
