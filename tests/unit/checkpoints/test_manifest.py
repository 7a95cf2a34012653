"""A family is found by name or path, typed, and its files are held to their digests."""

import hashlib

import pytest

from styleheat_cli.checkpoints import load_family
from styleheat_cli.checkpoints.store import Digest, Record, read_record, search_path, write_record
from styleheat_cli.errors import CheckpointError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of checkpoints with a family `toy` of one file, nothing else on the search path."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STYLEHEAT_CHECKPOINTS", raising=False)
    folder = tmp_path / "weights"
    (folder / "toy").mkdir(parents=True)
    (folder / "toy" / "generator.safetensors").write_bytes(b"not yet tensors")
    write_manifest(folder, hashlib.sha256(b"not yet tensors").hexdigest())
    return folder


def write_manifest(folder, digest, more=""):
    (folder / "toy.toml").write_text(
        f"""
        name = "toy"
        title = "a toy"
        [components.generator]
        architecture = "synthesis"
        config = {{size = 64}}
        file = "toy/generator.safetensors"
        sha256 = "{digest}"
        recipe = "recipes/train/toy.yaml"
        seed = 7
        {more}
        """
    )


def test_a_family_is_found_by_name_and_typed(folder):
    family = load_family("toy", folder)
    generator = family.component("generator")
    assert (family.title, generator.role, generator.architecture) == ("a toy", "generator", "synthesis")
    assert generator.config == {"size": 64} and generator.seed == 7 and generator.recipe == "recipes/train/toy.yaml"
    assert generator.path() == folder / "toy" / "generator.safetensors"


def test_a_family_is_found_by_the_path_of_its_manifest(folder):
    assert load_family(folder / "toy.toml").component("generator").path().is_file()


def test_the_environment_names_a_folder_and_the_argument_goes_before_it(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("STYLEHEAT_CHECKPOINTS", str(folder))
    assert search_path()[0] == folder
    assert search_path(tmp_path)[0] == tmp_path
    assert load_family("toy").name == "toy"


def test_a_flipped_bit_and_a_truncated_file_are_told_apart_from_the_real_one(folder):
    path = folder / "toy" / "generator.safetensors"
    path.write_bytes(b"not yet tensorz")
    with pytest.raises(CheckpointError, match="damaged") as caught:
        load_family("toy", folder).component("generator").path()
    assert caught.value.exit_code == 5 and caught.value.hint
    path.unlink()
    with pytest.raises(CheckpointError, match=r"lack toy/generator\.safetensors"):
        load_family("toy", folder).component("generator").path()


def test_without_a_digest_in_the_manifest_the_recorded_one_counts(folder):
    write_manifest(folder, "")
    generator = load_family("toy", folder).component("generator")
    with pytest.raises(CheckpointError, match="nobody recorded"):
        generator.path()
    content = (folder / "toy" / "generator.safetensors").read_bytes()
    digest = Digest(hashlib.sha256(content).hexdigest(), len(content))
    write_record(folder / "toy", Record({}, {"generator.safetensors": digest}))
    assert generator.path().name == "generator.safetensors"
    write_record(folder / "toy", Record({}, {"generator.safetensors": Digest(digest.sha256, 3)}))
    with pytest.raises(CheckpointError, match="expected 3"):
        generator.path()


def test_a_record_keeps_what_was_published_when_a_stored_file_goes(tmp_path):
    a, b = Digest("aa", 1), Digest("bb", 2)
    record = Record({}, {}).with_("published", "x.pth", a).with_("stored", "x.safetensors", b)
    write_record(tmp_path, record.without("x.safetensors"))
    assert read_record(tmp_path) == Record({"x.pth": a}, {})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name = 'toy'", "names no component"),
        ("[components.generator]\narchitecture = 'a'", "components.generator.file: missing"),
        ("[components.generator]\narchitecture = 'a'\nfile = 'b'\nshaa = ''", "components.generator.shaa: not a field"),
        ("[components.generator]\narchitecture = 'a'\nfile = 'b'\nsource = 'c'", "no source is called 'c'"),
        ("components = 3", "not a table of tables"),
        ("[", "not a manifest"),
    ],
)
def test_a_wrong_manifest_is_refused_with_the_key_that_is_wrong(folder, text, says):
    (folder / "toy.toml").write_text(text)
    with pytest.raises(CheckpointError, match=says):
        load_family("toy", folder)


def test_an_unknown_family_and_an_unknown_role_name_what_there_is(folder):
    with pytest.raises(CheckpointError, match="no family of weights is called 'tony'") as caught:
        load_family("tony", folder)
    assert "toy" in caught.value.hint
    with pytest.raises(CheckpointError, match=r"have no encoder \(they have generator"):
        load_family("toy", folder).component("encoder")


def test_a_broken_record_says_so(tmp_path):
    (tmp_path / "digests.json").write_text("[1]")
    with pytest.raises(CheckpointError, match="not a record"):
        read_record(tmp_path)
