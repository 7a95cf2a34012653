"""Evaluation: which cases there are, that finished ones are not made again, and what stands in the tables."""

import json

import numpy as np
import pytest
from pydantic import ValidationError

from styleheat_cli.engine import Engine
from styleheat_cli.errors import InputError, PartialError, RecipeError
from styleheat_cli.metrics.cases import Case, cases_of, outputs_of
from styleheat_cli.metrics.evaluation import STILL, Bench, commit, evaluate
from styleheat_cli.metrics.judges import Judges
from styleheat_cli.metrics.moments import How
from styleheat_cli.metrics.page import write_page
from styleheat_cli.metrics.published import TABLES
from styleheat_cli.metrics.tables import SHOWN, as_markdown, as_text, merged, summary
from styleheat_cli.ops.evaluate import Evaluate
from styleheat_cli.recipe import read_recipe
from tests.synthetic import face_frames, photo, write_clip

LOSSLESS = {"options": {"crf": "0"}, "pixel_format": "yuv444p"}
QUICK = How(("psnr", "f-lmd", "shake"))


@pytest.fixture
def data(tmp_path):
    """Two clips of the drifting portrait and a photo."""
    folder = tmp_path / "data"
    folder.mkdir()
    pictures = face_frames(12)
    write_clip(folder / "a.mp4", pictures, **LOSSLESS)
    write_clip(folder / "b.mp4", pictures[::-1], **LOSSLESS)
    photo(folder / "p.png", pictures[0])
    return folder


def names(cases):
    return [(c.name, *(path and path.name for path in (c.source, c.driving, c.audio, c.reference))) for c in cases]


def test_a_folder_of_clips_and_photos_gives_the_cases_of_each_task(data):
    assert names(cases_of("same-id", data)) == [
        ("a", None, "a.mp4", None, "a.mp4"), ("b", None, "b.mp4", None, "b.mp4"),
    ]  # fmt: skip
    assert names(cases_of("cross-id", data)) == [
        ("p-a", "p.png", "a.mp4", None, None), ("p-b", "p.png", "b.mp4", None, None),
    ]  # fmt: skip
    assert names(cases_of("dub", data))[0] == ("a", None, "a.mp4", "a.mp4", "a.mp4")
    assert names(cases_of("edit", data))[0] == ("a", "a.mp4", "a.mp4", None, None)


def test_a_list_goes_before_the_folder_and_names_the_line_that_is_wrong(data):
    (data / "pairs.csv").write_text("source,driving\np.png,a.mp4\n")
    assert names(cases_of("cross-id", data)) == [("p-a", "p.png", "a.mp4", None, None)]
    (data / "pairs.csv").write_text("source,driver\np.png,a.mp4\n")
    with pytest.raises(InputError, match=r"pairs\.csv:2: driver is no role"):
        cases_of("cross-id", data)
    (data / "pairs.csv").write_text("source,driving\np.png,c.mp4\n")
    with pytest.raises(InputError, match=r"no such file.*c\.mp4"):
        cases_of("cross-id", data)


def test_folders_of_cases_are_sorted_by_what_they_hold(tmp_path):
    for name, files, same in (("one", ("source.png", "driving.mp4"), True), ("two", ("source.png", "driving.mp4"), False),
                              ("three", ("source.mp4", "audio.wav"), None)):  # fmt: skip
        (tmp_path / name).mkdir()
        for file in files:
            (tmp_path / name / file).write_bytes(b"x")
        (tmp_path / name / "meta.json").write_text(json.dumps({"same_identity": same}))
    (tmp_path / "one" / "Other.mp4").write_bytes(b"x")
    assert [case.name for case in cases_of("same-id", tmp_path)] == ["one"]
    assert [case.name for case in cases_of("cross-id", tmp_path)] == ["two"]
    assert [case.name for case in cases_of("dub", tmp_path)] == ["three"]
    found = list(outputs_of("Other", tmp_path, cases_of("same-id", tmp_path)))
    assert [(case.name, path.name) for case, path in found] == [("one", "Other.mp4")]


def test_an_empty_folder_and_a_missing_one_are_told(tmp_path):
    with pytest.raises(InputError, match="holds nothing for same-id"):
        cases_of("same-id", tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        cases_of("same-id", tmp_path / "nowhere")


def copying(log):
    """A maker whose result is the driving clip itself."""

    def make(case, source, output):
        if case.name == "bad":
            raise InputError("this one cannot be made")
        log.append(case.name)
        output.write_bytes(case.driving.read_bytes())

    return make


def test_methods_stand_side_by_side_and_finished_cases_are_not_made_again(data, tmp_path):
    log = []
    cases = cases_of("same-id", data)
    others = {"peer": tmp_path / "peer"}
    others["peer"].mkdir()
    (others["peer"] / "a.mp4").write_bytes((data / "b.mp4").read_bytes())
    found = evaluate(
        "same-id", cases, Bench(tmp_path / "out", QUICK, "1"), ours="ours", make=copying(log), others=others
    )
    assert list(found["methods"]) == [STILL, "peer", "ours", "ours, cases of peer"]
    psnr = {name: method["metrics"]["psnr[rgb]"] for name, method in found["methods"].items()}
    assert psnr["ours"]["value"] == 100 and psnr["ours"]["samples"] == 24 and psnr["ours"]["pairs"] == 2
    assert psnr["peer"]["pairs"] == psnr["ours, cases of peer"]["pairs"] == 1 and psnr[STILL]["value"] < 40
    assert found["methods"][STILL]["metrics"]["shake[jitter ratio]"]["value"] == 0

    again = evaluate(
        "same-id", cases, Bench(tmp_path / "out", QUICK, "1"), ours="ours", make=copying(log), others=others
    )
    assert log == ["a", "b"] and again == found
    evaluate("same-id", cases, Bench(tmp_path / "out", QUICK, "2"), ours="ours", make=copying(log), others={})
    assert log == ["a", "b", "a", "b"]  # another recipe must not reuse what an earlier one made


def test_what_was_measured_stays_until_a_clip_changes_or_a_judge_comes(data, tmp_path, monkeypatch):
    from styleheat_cli.metrics import evaluation

    cases, peer, measured = cases_of("same-id", data)[:1], tmp_path / "peer", []
    peer.mkdir()
    (peer / "a.mp4").write_bytes((data / "a.mp4").read_bytes())
    compare = evaluation.compare
    monkeypatch.setattr(evaluation, "compare", lambda *pair, **how: measured.append(pair[0].generated.name) or compare(*pair, **how))

    def again(**judges):
        measured.clear()
        bench = Bench(tmp_path / "out", How(("psnr", "csim")), "1", judges=Judges(judges))
        found = evaluate("same-id", cases, bench, ours="ours", make=None, others={"peer": peer})
        return found["methods"]["peer"]["metrics"]

    again()
    assert measured == ["a.png", "a.mp4"]
    assert again()["csim[arcface-irse50]"]["value"] is None and not measured
    assert again(identity=lambda image, face: np.ones(4))["csim[arcface-irse50]"]["value"] == pytest.approx(1)
    assert measured == ["a.png", "a.mp4"]
    (peer / "a.mp4").write_bytes((data / "b.mp4").read_bytes())
    assert again()["psnr[rgb]"]["value"] < 40 and "a.mp4" in measured


def test_an_interrupted_case_is_made_again(data, tmp_path):
    bench = Bench(tmp_path / "out", QUICK, "1")

    def stopping(case, source, output):
        output.write_bytes(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate("same-id", cases_of("same-id", data), bench, ours="ours", make=stopping, others={})
    log = []
    found = evaluate("same-id", cases_of("same-id", data), bench, ours="ours", make=copying(log), others={})
    assert log == ["a", "b"] and found["methods"]["ours"]["metrics"]["psnr[rgb]"]["value"] == 100


def test_a_failed_case_is_named_and_the_others_are_measured(data, tmp_path):
    cases = [*cases_of("same-id", data), Case("bad", None, data / "a.mp4", reference=data / "a.mp4")]
    bench = Bench(tmp_path / "out", QUICK, "1")
    found = evaluate("same-id", cases, bench, ours="ours", make=copying([]), others={})
    assert found["failed"] == {"bad": "this one cannot be made"}
    assert found["methods"]["ours"]["metrics"]["psnr[rgb]"]["pairs"] == 2
    with pytest.raises(PartialError, match="1 cases failed: bad") as caught:
        Evaluate().check_failures({"tasks": {"same-id": found}})
    assert caught.value.exit_code == 8


def test_absent_weights_end_an_evaluation_at_once(data, tmp_path):
    from styleheat_cli.errors import CheckpointError

    def weightless(case, source, output):
        asked.append(case.name)
        raise CheckpointError("the styleheat weights lack generator", hint="styleheat checkpoints fetch styleheat")

    asked = []
    with pytest.raises(CheckpointError, match="lack generator"):
        evaluate("same-id", cases_of("same-id", data), Bench(tmp_path / "out", QUICK, "1"), ours="ours", make=weightless, others={})
    assert asked == ["a"]


def test_tables_show_ours_beside_the_papers_and_say_what_differs(data, tmp_path):
    bench = Bench(tmp_path / "out", How(("psnr", "f-lmd", "csim")), "1")
    found = evaluate("same-id", cases_of("same-id", data), bench, ours="ours", make=copying([]), others={})
    content = {"tasks": {"same-id": found}, "date": "2026-01-02T03:04:05", "commit": "0123456789abc", "machine": "M",
               "data": "clips", "weights": "default"}  # fmt: skip
    text = as_text(content)
    assert "same-id: 2 cases" in text and "24 (2)" in text
    assert "published: StyleHEAT (Yin et al., ECCV 2022), Table 1, same identity" in text
    below = text[text.index("18.02") :].splitlines()[1:3]
    assert below[1].split()[:2] == ["here:", "ours"] and below[1].split()[4] == "100.0" and below[1].endswith("24 (2)")
    assert "18.02" in text and "0.7475" in text and "1.941" in text and "HDTF clips" in text
    assert "not measured: csim[arcface-irse50]: needs identity" in text
    markdown = as_markdown(summary(content))
    assert (
        "| measure | still photo | ours | n |" in markdown and "| psnr ↑ dB |" in markdown and "| 24 (2) |" in markdown
    )
    assert "2026-01-02, commit 0123456789, M, data `clips`" in markdown


def test_real_pictures_stand_below_the_results_where_a_table_says_so():
    likeness = {"value": 0.9, "real": 0.8, "unit": "cosine", "better": "higher", "samples": 3, "pairs": 1}
    result = {"cases": 1, "region": "frame", "methods": {"ours": {"metrics": {"likeness[looks]": likeness}}}, "failed": {}}
    content = {"tasks": {"cross-id": result}, "date": "2026-01-02", "machine": "M", "data": "clips", "weights": "default"}
    assert "| likeness ↑ cosine | 0.9000 | 3 (1) |\n| likeness:real ↑ cosine | 0.8000 | 3 (1) |" in as_markdown(content)
    del likeness["real"]
    assert "real" not in as_markdown(content)


def test_only_what_has_no_value_is_told_as_not_measured():
    metrics = {"likeness[looks]": {"value": 0.9, "unit": "cosine", "better": "higher", "samples": 3, "pairs": 1},
               "likeness-leak[looks]": {"value": None, "why": "one person"}}  # fmt: skip
    result = {"cases": 1, "region": "frame", "methods": {"ours": {"metrics": metrics}}, "failed": {}}
    told = [line for line in as_text({"tasks": {"cross-id": result}}).splitlines() if line.startswith("not measured")]
    assert told == ["not measured: likeness-leak[looks]: one person"]


def test_a_summary_keeps_what_another_run_measured_and_says_so():
    task = {"cases": 1, "region": "head", "methods": {}, "failed": {}}
    old = {"data": "clips", "weights": "default", "date": "2026-01-02T03", "commit": "a" * 40, "tasks": {"dub": task, "edit": task}}
    new = {**old, "date": "2026-02-03T04", "commit": "b" * 40, "machine": "M", "tasks": {"edit": {**task, "cases": 2}}}
    both = merged(new, old)
    assert both["date"] == new["date"] and both["tasks"]["edit"]["cases"] == 2 and "measured" not in both["tasks"]["edit"]
    assert both["tasks"]["dub"]["measured"] == {"date": old["date"], "commit": old["commit"]}
    assert "2026-02-03, commit bbbbbbbbbb" in as_markdown(both) and "But dub: 2026-01-02, commit aaaaaaaaaa." in as_markdown(both)
    assert merged(both, merged(new, old)) == both, "a later run keeps when the others were measured"
    assert merged({**new, "weights": "styleheat"}, old)["tasks"] == new["tasks"] and merged(new, {}) == new


def test_published_rows_have_a_value_for_every_column():
    for table in TABLES:
        assert table.differs and all(len(values) == len(table.columns) for values in table.rows.values())


@pytest.mark.parametrize("task", ["same-id", "cross-id", "dub"])
def test_shown_metrics_exist(task):
    from styleheat_cli.metrics import CATALOGUE

    for name in (shown.partition(":")[0] for shown in SHOWN[task]):
        bare = "pose" if name.split("-")[0] in ("yaw", "pitch", "roll") else name
        assert set(CATALOGUE) & {bare, bare.rpartition("-")[0]}, name


@pytest.mark.parametrize("name", ["same-id", "cross-id", "dub", "edit", "edit-3dmm", "held-out", "reenact-peers", "dub-peers", "edit-peers"])
def test_every_recipe_is_an_evaluation(name, request):
    task = read_recipe(request.config.rootpath / "recipes" / "evaluate" / f"{name}.yaml")
    assert isinstance(task, Evaluate) and task.tasks


def test_the_held_out_list_pairs_only_what_it_holds_out(request):
    task = read_recipe(request.config.rootpath / "recipes" / "evaluate" / "held-out.yaml")
    assert len(task.clips) > 20 and len(task.portraits) > 20 and len(task.pairs) >= 8 and task.identities
    for pair in task.pairs:
        assert pair["source"] in task.portraits and pair["driving"] in task.clips


def test_the_held_out_identities_are_not_in_the_rest_of_the_data(request, shared):
    task = read_recipe(request.config.rootpath / "recipes" / "evaluate" / "held-out.yaml")
    index = json.loads((shared / "data" / "index.json").read_text("utf-8"))["files"]
    held = {*task.clips, *task.portraits, *task.kept_out}
    known = {entry["file"] for entry in index}
    assert held <= known
    people = {entry["identity"] for entry in index if entry["file"] in {*task.clips, *task.portraits}}
    assert people <= set(task.identities)
    rest = {e["identity"] for e in index if e["kind"] in ("video", "portrait") and e["file"] not in held}
    assert not rest & set(task.identities)


def test_an_operation_that_is_not_there_and_a_wrong_output_are_refused_before_anything_is_loaded(data, tmp_path):
    with pytest.raises(RecipeError, match="no operation jump"):
        Evaluate(data=data, options={"same-id": {"op": "jump"}}).run(Engine())
    with pytest.raises(RecipeError, match="NAME=FOLDER"):
        Evaluate(data=data, outputs=("=x",), ours=False).run(Engine())
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty holds no result of FOMM for any case") as caught:
        Evaluate(data=data, outputs=(f"FOMM={tmp_path / 'empty'}",)).run(Engine())
    assert "CASE/FOMM.mp4" in caught.value.hint
    with pytest.raises(RecipeError, match="names no data"):
        Evaluate().run(Engine())
    with pytest.raises(ValidationError):
        Evaluate(tasks=("juggle",))


def test_finished_outputs_are_measured_by_the_command(data, tmp_path, capfd, request):
    from styleheat_cli.app import run

    (tmp_path / "peer").mkdir()
    (tmp_path / "peer" / "a.mp4").write_bytes((data / "a.mp4").read_bytes())
    recipe = request.config.rootpath / "recipes" / "evaluate" / "same-id.yaml"
    arguments = ["evaluate", str(recipe), "--data", str(data), "--no-ours", "--outputs", f"peer={tmp_path / 'peer'}",
                 "--only", "psnr", "-o", str(tmp_path / "out"), "-q", "--json"]  # fmt: skip
    assert run(arguments) == 0
    content = json.loads(capfd.readouterr().out)
    assert content["tasks"]["same-id"]["methods"]["peer"]["metrics"]["psnr[rgb, face]"]["value"] == 100
    assert json.loads((tmp_path / "out" / "results.json").read_text("utf-8")) == content


@pytest.mark.slow
def test_peers_published_results_stand_in_one_table(shared, request, tmp_path, capfd):
    from styleheat_cli.app import run

    if not (shared / "peers").is_dir():
        pytest.skip(f"no results of other tools at {shared / 'peers'}")
    recipe = request.config.rootpath / "recipes" / "evaluate" / "reenact-peers.yaml"
    arguments = ["evaluate", str(recipe), "--data", str(shared / "peers"), "--no-ours", "--seconds", "0.3", "--only", "m-lmd",
                 "--only", "aed", "-o", str(tmp_path), "-q", "--json"]  # fmt: skip
    assert run(arguments) == 0
    tasks = json.loads(capfd.readouterr().out)["tasks"]
    assert list(tasks["cross-id"]["methods"]) == ["LivePortrait"]
    same = tasks["same-id"]["methods"]
    assert list(same) == [STILL, "StyleHEAT", "FOMM", "PIRender", "HyperReenact", "StyleGANDirections"]
    still, styleheat = (same[name]["metrics"]["m-lmd[lips 40, centred @256]"] for name in (STILL, "StyleHEAT"))
    assert still["pairs"] == 4 and styleheat["pairs"] == 2 and 0.5 < styleheat["value"] < 2 < still["value"]


def test_the_commit_is_the_checkouts_own(request):
    if not (request.config.rootpath / ".git").exists():
        pytest.skip("not a checkout")
    found = commit()
    assert len(found) == 40 and int(found, 16) >= 0


def test_the_page_shows_every_method_case_and_sheet(tmp_path):
    metrics = {"psnr[rgb]": {"value": 30.0, "unit": "dB", "better": "higher", "samples": 3, "pairs": 1}}
    method = {"metrics": metrics, "pairs": {"a <b>": metrics}, "notes": {}}
    result = {"cases": 2, "region": "face", "methods": {"ours": method}, "failed": {"c": "no face"}}
    (tmp_path / "same-id").mkdir()
    (tmp_path / "same-id" / "sheet.png").write_bytes(b"")
    content = {"date": "2026-01-01T00:00", "commit": "0" * 40, "machine": "m", "weights": "default", "tasks": {"same-id": result}}
    page = write_page(tmp_path, content).read_text(encoding="utf-8")
    assert page.count("30.00") == 3, "the mean, the one case, and below the paper's rows"
    for shown in ("a &lt;b&gt;", "psnr ↑ dB", "no face", "here: ", "HDTF clips", 'src="same-id/sheet.png"', "ours, case by case"):
        assert shown in page, shown
