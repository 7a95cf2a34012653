"""`styleheat run` on recipes of jobs."""

import json
from pathlib import Path

import pytest

JOBS = sorted((Path(__file__).parents[2] / "recipes" / "train").glob("*.yaml"))


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.stem)
def test_a_dry_run_of_a_job_says_what_it_would_do_and_does_nothing(cli, job, tmp_path):
    called = cli("run", job, "--set", f"data={tmp_path}", "--set", f"work={tmp_path / 'work'}", "--dry-run")
    assert called.code == 0, called.err
    assert json.loads(called.out)["kind"] == f"train-{job.stem}" and list(tmp_path.iterdir()) == []
