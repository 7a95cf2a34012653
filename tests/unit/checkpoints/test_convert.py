"""Files from elsewhere are read without running them, and brought to one form."""

from __future__ import annotations

import pickle
import zipfile

import numpy as np
import pytest
import torch

from styleheat_cli.checkpoints.convert import normal_form, read_published, read_stored, write_stored
from styleheat_cli.errors import CheckpointError, OutputError


class Bomb:
    """A pickle that writes a file when it is loaded carelessly."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("name", ["weights.pth", "weights.pt", "weights.npz", "weights.safetensors"])
def test_a_pickle_under_any_name_is_never_run(tmp_path, name):
    mark = tmp_path / "ran"
    (tmp_path / name).write_bytes(pickle.dumps({"a": Bomb(mark)}))
    with pytest.raises(CheckpointError, match="cannot be read as weights"):
        read_published(tmp_path / name)
    assert not mark.exists()


def test_objects_inside_an_npz_are_refused(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.array([{"a": 1}], dtype=object))
    with pytest.raises(CheckpointError, match="cannot be read"):
        read_published(tmp_path / "a.npz")


def test_nested_dictionaries_become_flat_keys_and_only_tensors_stay(tmp_path):
    torch.save({"net": {"a": {"b": torch.ones(2)}}, "epoch": 3, "name": "x", "list": [1]}, tmp_path / "a.pth")
    flat = read_published(tmp_path / "a.pth")
    assert list(flat) == ["net.a.b"] and torch.equal(flat["net.a.b"], torch.ones(2))


def test_arrays_pickled_inside_a_torch_file_are_read(tmp_path):
    torch.save({"comp": np.arange(6.0).reshape(2, 3)}, tmp_path / "a.pt")
    assert torch.equal(read_published(tmp_path / "a.pt")["comp"], torch.arange(6.0).view(2, 3).double())


@pytest.mark.parametrize("name", ["../age.pt", "/age.pt", "a/../../age.pt", "..\\age.pt", "C:/age.pt"])
def test_an_archive_that_points_outside_of_itself_is_refused(tmp_path, name):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(name, b"x")
    with pytest.raises(CheckpointError, match="points outside"):
        read_published(tmp_path / "a.zip", ["age.pt"])


def test_an_archive_without_the_member_says_which(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("b.pt", b"x")
    with pytest.raises(CheckpointError, match=r"does not hold age\.pt"):
        read_published(tmp_path / "a.zip", ["age.pt"])


def test_a_matlab_file_gives_its_fields(tmp_path):
    from scipy.io import savemat

    savemat(tmp_path / "a.mat", {"lm": np.eye(3), "name": "x"})
    assert list(read_published(tmp_path / "a.mat")) == ["lm"]


def test_a_file_of_no_known_kind_is_refused(tmp_path):
    (tmp_path / "a.exe").write_bytes(b"MZ")
    with pytest.raises(CheckpointError, match="of no kind"):
        read_published(tmp_path / "a.exe")


@pytest.mark.parametrize("shape", [(16,), (1, 16), (4, 16)])
def test_a_direction_has_a_row_for_each_row_of_the_code_however_it_was_published(shape):
    assert normal_form("directions", torch.ones(shape), (4, 16)).shape == (4, 16)


def test_components_are_flat_rows_up_to_the_last_one_used():
    components = torch.randn(80, 1, 16)
    assert torch.equal(normal_form("principal-components", components, (59, 16)), components[:59, 0])
    assert normal_form("principal-components", torch.ones(1, 16), (16,)).shape == (16,)
    assert normal_form("principal-components", torch.ones(80), (59,)).shape == (59,)


def test_stored_tensors_come_back_by_prefix_or_by_key(tmp_path):
    write_stored(tmp_path / "a.safetensors", {"x.a": torch.zeros(1), "x.b": torch.ones(1), "y": torch.ones(2)})
    assert set(read_stored(tmp_path / "a.safetensors", "x.")) == {"a", "b"}
    assert set(read_stored(tmp_path / "a.safetensors", keys=["y"])) == {"y"}
    assert not list(tmp_path.glob("*.part"))


def test_a_header_that_claims_too_much_is_refused(tmp_path):
    (tmp_path / "a.safetensors").write_bytes((1 << 62).to_bytes(8, "little") + b"{}")
    with pytest.raises(CheckpointError, match="not a safetensors file"):
        read_stored(tmp_path / "a.safetensors")


def test_a_folder_that_cannot_be_made_is_an_output_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        write_stored(tmp_path / "file" / "a.safetensors", {"a": torch.zeros(1)})
