"""`mspd JOB`: the mains under one name, a list of them, a hint for a misspelt one."""

import pathlib

import pytest

from tests.launch import mains

JOBS = {
    path.stem
    for path in (mains.ROOT / "launch").glob("[!_]*.py")
    if path.stem != "mspd"
}


@pytest.mark.parametrize("flags", [(), ("--help",)])
def test_help_lists_every_job_with_what_it_does(flags):
    code, out, _ = mains.run("mspd", *flags)
    assert code == 0
    listed = {
        line.split()[0]: line for line in out.partition("Jobs:\n")[2].splitlines()
    }
    assert listed.keys() == JOBS
    assert "before they are released" in listed["protect"]


@pytest.mark.parametrize(
    ("name", "hint"), [("protct", "did you mean protect?"), ("zzz", "jobs: certify")]
)
def test_a_misspelt_job_gets_a_suggestion(name, hint):
    code, out, err = mains.run("mspd", name)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"error: no job {name!r}") and hint in err


def test_a_job_gets_its_flags_and_its_own_help(tmp_path: pathlib.Path):
    code, out, err = mains.run("mspd", "protect", "--help")
    assert "Protects images before they are released" in out + err
    assert "--surrogate" in out + err
    code, _, err = mains.run(
        "mspd",
        "protect",
        "--source=digits:test",
        "--surrogate=nothing",
        "--eps=2",
        f"--out={tmp_path}/out",
    )
    assert code == 2
    assert "did you mean --eps=2/255?" in err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "command", [("report", "--help"), ("mspd", "--help"), ("convert", "--list")]
)
def test_help_that_nobody_reads_to_the_end_is_no_failure(command):
    process = mains.start(*command)
    process.stdout.close()  # as `head` does
    assert (process.stderr.read(), process.wait()) == ("", 0)
    process.stderr.close()
