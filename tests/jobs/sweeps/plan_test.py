"""The plan of a sweep: folders, hashes, order, shards; nothing is written."""

import dataclasses

import pytest

from mspd_jax import jobs
from mspd_jax.errors import InputError
from mspd_jax.jobs.sweeps._plan import Asked, planned

PROTECT = jobs.Protect(source="digits:test", surrogate="nets/a/model", eps="4/255")
TRAIN = jobs.TrainClassifier(source="digits:train", arch="small_cnn")


def plan(jobs_or_pairs, **how):
    pairs = [j if isinstance(j, tuple) else (j, None) for j in jobs_or_pairs]
    asked = [Asked(job, job.MACHINE, name) for job, name in pairs]
    return planned(asked, "/OUT", **how)


def test_a_folder_is_named_by_what_varies_and_a_hash():
    cells = plan(jobs.grid(PROTECT, eps=["4/255", "8/255"], surrogate=["A", "x/model"]))
    names = [cell.folder.rpartition("-")[0] for cell in cells]
    assert names == [
        "eps_4_255-surrogate_A",
        "eps_4_255-surrogate_x",
        "eps_8_255-surrogate_A",
        "eps_8_255-surrogate_x",
    ]
    hashes = {cell.folder.rpartition("-")[2] for cell in cells}
    assert len(hashes) == 4 and all(len(text) == 8 for text in hashes)
    assert cells[1].axes == {"eps": "4/255", "surrogate": "x/model"}


def test_the_hash_is_of_all_fields_and_of_the_job():
    one = plan([PROTECT])[0].folder
    assert one.startswith("protect-")
    assert plan([dataclasses.replace(PROTECT, seed=1)])[0].folder != one
    revert = jobs.Revert(source="digits:test", surrogate="nets/a/model", eps="4/255")
    ends = {plan([job])[0].folder.rpartition("-")[2] for job in (PROTECT, revert)}
    assert len(ends) == 2


def test_a_cell_is_found_again_where_more_varies_now():
    before = plan(jobs.grid(PROTECT, eps=["4/255", "8/255"]))
    names = [cell.folder for cell in before]
    grid = jobs.grid(PROTECT, eps=["4/255", "8/255"], samples=[4, 20])
    now = plan(grid, existing=[*names, "report", "x.shards"])
    assert [now[0].folder, now[2].folder] == names
    assert "samples_20" in now[1].folder


def test_two_cells_of_one_folder_are_refused():
    with pytest.raises(InputError, match="cell 1 and cell 3 are the same"):
        plan(jobs.grid(PROTECT, eps=["0.1", "0.2", "0.1"]))


def test_functions_of_one_name_are_different_cells():
    def made(shift):
        def network(image):
            return image.ravel()[:3] + shift

        return network

    cells = plan(jobs.grid(PROTECT, surrogate=[made(1.0), made(2.0)]))
    assert cells[0].folder != cells[1].folder


@pytest.mark.parametrize("eps", ["0", "2", "x"])
def test_a_radius_that_is_none_is_refused_with_its_cell(eps):
    with pytest.raises(InputError, match=f"cell 2: `eps`={eps}: "):
        plan(jobs.grid(PROTECT, eps=["0.1", eps]))


def test_a_chain_runs_in_order_and_names_folders():
    evaluate = jobs.Evaluate(source="folder:@p", target="@t", eps="0.1")
    protect = dataclasses.replace(PROTECT, surrogate="@t")
    cells = plan([(evaluate, "e"), (protect, "p"), (TRAIN, "t")])
    assert [cell.name for cell in cells] == ["t", "p", "e"]
    assert [cell.level for cell in cells] == [0, 1, 2]
    assert [set(cell.needs) for cell in cells] == [set(), {0}, {0, 1}]
    train, protected, evaluated = cells
    assert protected.job.surrogate == f"/OUT/{train.folder}"
    assert evaluated.job.source == f"folder:/OUT/{protected.folder}"
    # What a cell takes is part of what it is: another training, another protection.
    other = dataclasses.replace(TRAIN, seed=1)
    again = plan([(evaluate, "e"), (protect, "p"), (other, "t")])
    assert {c.folder for c in again}.isdisjoint(c.folder for c in cells)
    # But where the sweep lies is not.
    asked = [Asked(j, j.MACHINE, n) for j, n in [(TRAIN, "t"), (protect, "p")]]
    assert [c.folder for c in planned(asked, "/ELSEWHERE")] == [
        train.folder,
        protected.folder,
    ]


def test_two_cells_of_one_name_are_refused():
    with pytest.raises(InputError, match="two cells have the name 't'"):
        plan([(TRAIN, "t"), (PROTECT, "t")])


def test_shards_come_before_what_they_make_and_after_what_they_need():
    protect = dataclasses.replace(PROTECT, surrogate="@t")
    evaluate = jobs.Evaluate(source="folder:@p", target="@t", eps="0.1")
    cells = plan([(TRAIN, "t"), (protect, "p"), (evaluate, "e")], shards=3)
    assert [cell.level for cell in cells] == [0, 1, 1, 1, 2, 3, 3, 3, 4]
    whole = cells[4]
    assert (whole.name, whole.parts) == ("p", (1, 2, 3))
    assert whole.job.shard is None and set(whole.needs) == {0, 1, 2, 3}
    shards = [cells[part].job.shard for part in whole.parts]
    assert shards == ["1/3", "2/3", "3/3"]
    assert cells[2].folder == f"{whole.folder}.shards/00002_of_00003"
    assert all(cells[n].needs == (0,) for n in whole.parts)
    assert all(set(cells[n].needs) == {0, 4} for n in cells[8].parts)
    # The folder of the whole is that of the cell without shards.
    alone = plan([(TRAIN, "t"), (protect, "p")])
    assert alone[1].folder == whole.folder


def test_shards_of_a_training_are_refused():
    with pytest.raises(InputError, match="`shards`=2: train_classifier is no job"):
        plan([TRAIN], shards=2)


def test_no_cells_are_refused():
    with pytest.raises(InputError, match="at least one cell"):
        plan([])
