"""`styleheat checkpoints`: what it lists, and that nothing is fetched unless its terms were accepted."""

import socket

import pytest


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refused(*_, **__):
        raise AssertionError("the network was touched")

    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)


def test_the_embedded_family_is_complete(cli):
    called = cli("checkpoints", "list", "default", "--json")
    assert called.code == 0
    assert {row["state"] for row in called.json["default"]} == {"ready"}


def test_a_family_that_is_not_here_is_told_with_the_way_to_it(cli, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    called = cli("checkpoints", "list", "styleheat")
    assert called.code == 5 and "missing" in called.out and "styleheat checkpoints fetch styleheat" in called.err


def test_terms_are_shown_and_refused_unless_accepted(cli, tmp_path):
    called = cli("checkpoints", "fetch", "styleheat", "--folder", tmp_path)
    assert called.code == 5 and "non-commercial" in called.err and "--accept-license" in called.err


def test_a_folder_without_the_files_is_told(cli, tmp_path):
    (tmp_path / "empty").mkdir()
    called = cli("checkpoints", "import", tmp_path / "empty", "--accept-license", "--folder", tmp_path / "kept")
    assert called.code == 5 and "holds none of the styleheat files" in called.err


def test_removing_what_is_not_there_frees_nothing(cli, tmp_path):
    assert cli("checkpoints", "rm", "styleheat", "--folder", tmp_path, "--json").json == {"freed_bytes": 0}


def test_an_unknown_family_is_named(cli):
    called = cli("checkpoints", "list", "nonsense")
    assert called.code == 5 and "no family of weights is called 'nonsense'" in called.err


def test_the_embedded_family_is_verified_and_found(cli):
    called = cli("checkpoints", "verify", "default", "--json")
    assert called.code == 0 and {row["detail"] for row in called.json["default"]} == {"checked"}
    paths = cli("checkpoints", "path", "default").out.split()
    assert len(paths) == len(called.json["default"]) and all(path.endswith(".safetensors") for path in paths)
    assert cli("checkpoints", "path", "default", "--role", "recon").out.strip() in paths


def test_a_role_that_is_missing_is_told_with_the_way_to_it(cli, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    called = cli("checkpoints", "path", "styleheat", "--role", "generator")
    assert called.code == 5 and "styleheat checkpoints fetch styleheat" in called.err


def test_a_file_that_no_family_knows_is_not_converted(cli, tmp_path):
    (tmp_path / "model.pth").write_bytes(b"x")
    called = cli("checkpoints", "convert", tmp_path / "model.pth", "--accept-license", "--folder", tmp_path)
    assert called.code == 5 and "model.pth is none of the styleheat files" in called.err and "StyleGAN_e4e.pth" in called.err
    called = cli("checkpoints", "convert", tmp_path / "hfgi.pth", "--accept-license", "--folder", tmp_path)
    assert called.code == 5 and "no such file" in called.err


def test_terms_are_asked_for_where_somebody_can_answer(cli, tmp_path, monkeypatch):
    import typer

    asked = []
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr(typer, "confirm", lambda *words, **how: bool(asked.append(words)))
    called = cli("checkpoints", "fetch", "styleheat", "--folder", tmp_path)
    assert called.code == 5 and len(asked) == 1 and "non-commercial" in called.err
