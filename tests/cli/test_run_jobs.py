"""`styleheat run` on recipes of jobs."""

import json
from pathlib import Path

import pytest

from styleheat_cli.ops import tasks
from styleheat_cli.recipe import Where, build

JOBS = sorted((Path(__file__).parents[2] / "recipes" / "train").glob("*.yaml"))


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.stem)
def test_a_dry_run_of_a_job_says_what_it_would_do_and_does_nothing(cli, job, tmp_path):
    called = cli("run", job, "--set", f"data={tmp_path}", "--set", f"work={tmp_path / 'work'}", "--dry-run")
    assert called.code == 0, called.err
    assert json.loads(called.out)["kind"] == f"train-{job.stem}" and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("name", "other"), [("morphable", "motion"), ("codec", "generator")])
def test_both_names_are_one_job(cli, name, other):
    job = build({"kind": f"train-{other}", "data": "clips"}, where=Where("r.yaml", {}))
    assert type(job) is tasks()[f"train-{name}"] and job.kind == f"train-{other}"
    assert f"the same as `train {other}`" in cli("train", name, "--help").out.lower()
    told = cli("train", other, "--help")
    assert told.code == 0 and f"The same as {name}." in told.out
    options = [called.out.partition("Options")[2] for called in (cli("train", name, "--help"), told)]
    assert options[0] == options[1]


def test_finished_weights_name_the_recipe_that_lies_in_the_repository_whatever_the_job_was_called(tmp_path):
    from styleheat_cli.training.jobs import _row

    (tmp_path / "recon.safetensors").write_bytes(b"")
    job = build({"kind": "train-motion", "data": "clips", "output": str(tmp_path)}, where=Where("r.yaml", {}))
    assert 'recipe = "recipes/train/morphable.yaml"' in _row(job, "recon", "morphable")
