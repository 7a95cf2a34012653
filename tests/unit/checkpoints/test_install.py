"""A family arrives whole or not at all: over cut connections, past wrong files, next to a second fetch."""

from __future__ import annotations

import threading
from collections import deque

import pytest
import torch

from styleheat_cli.checkpoints.install import (
    fetch_family,
    import_family,
    licence_accepted,
    remove_family,
    standings,
)
from styleheat_cli.checkpoints.store import read_record
from styleheat_cli.errors import CheckpointError, OutputError


@pytest.fixture
def store(tmp_path):
    return tmp_path / "store"


def fetch(family, store, **options):
    return fetch_family(family, store, accept_licence=lambda text: True, pause_s=0, **options)


def states(family):
    return {row.role: row.state for row in standings(family, thorough=True)}


def leftovers(store):
    return [path.name for path in store.rglob("*") if ".part" in path.name or path.suffix in (".pt", ".pth", ".zip")]


def test_a_family_is_fetched_converted_and_loads_into_its_architecture(family, published, store):
    events = []
    made = fetch(family, store, progress=events.append)
    assert sorted(path.name for path in made) == [
        "average.safetensors",
        "directions.safetensors",
        "motion.safetensors",
    ]
    assert states(family) == {"motion": "ready", "average_code": "ready", "directions": "ready"}
    original = torch.load(published.folder / "motion.pt", weights_only=True)["net_G_ema"]
    state = family.component("motion").state_dict()
    assert all(torch.equal(original["video_warper." + key], tensor) for key, tensor in state.items())
    assert family.component("average_code").state_dict()["latent_avg"].shape == (4, 16)
    assert not leftovers(store)
    done = [event for event in events if event.stage == "fetch motion.pt"][-1]
    assert done.done == done.total == (published.folder / "motion.pt").stat().st_size


def test_what_is_there_is_not_fetched_again(family, published, store):
    fetch(family, store)
    asked = len(published.requests)
    assert fetch(family, store) == []
    assert len(published.requests) == asked


def test_a_cut_connection_is_taken_up_where_it_broke(family, published, store):
    published.faults["motion.pt"] = deque(["cut", "cut"])
    fetch(family, store)
    size = (published.folder / "motion.pt").stat().st_size
    ranges = [wanted for name, wanted in published.requests if name == "motion.pt"]
    assert ranges == [None, f"bytes={size // 2}-", f"bytes={size // 2 + (size - size // 2) // 2}-"]
    assert states(family)["motion"] == "ready"


def test_a_fetch_that_gave_up_goes_on_later_and_a_changed_file_begins_anew(family, published, store):
    published.faults["motion.pt"] = deque(["cut"] * 5)
    with pytest.raises(CheckpointError, match="broke 5 times"):
        fetch(family, store)
    assert not (store / "small" / "motion.safetensors").exists()
    path = published.folder / "motion.pt"
    torch.save(torch.load(path, weights_only=True) | {"epoch": 21}, path)
    fetch(family, store)
    assert published.requests[5][1] is not None  # a range was asked for, and the server had another version
    assert states(family)["motion"] == "ready"


@pytest.mark.parametrize(
    ("fault", "says"), [("404", "answers 404"), ("403", "answers 403"), ("page", "sends a web page")]
)
def test_a_server_that_does_not_have_the_file_is_told_at_once(family, published, store, fault, says):
    published.faults["motion.pt"] = deque([fault])
    with pytest.raises(CheckpointError, match=says) as caught:
        fetch(family, store)
    assert caught.value.exit_code == 5 and "import" in caught.value.hint
    assert len(published.requests) == 1
    assert not leftovers(store)


def test_a_server_in_trouble_is_asked_again(family, published, store):
    published.faults["motion.pt"] = deque(["503", "500"])
    fetch(family, store)
    assert states(family)["motion"] == "ready"


def test_a_wrong_file_is_refused_and_leaves_nothing_behind(family, published, store):
    good = (published.folder / "motion.pt").read_bytes()
    torch.save({"net_G_ema": {"video_warper.mapping_net.first.0.bias": torch.zeros(3)}}, published.folder / "motion.pt")
    with pytest.raises(CheckpointError, match=r"not the small motion: .*missing.* more"):
        fetch(family, store)
    assert "motion.pt" not in read_record(store / "small").published
    assert not leftovers(store)
    (published.folder / "motion.pt").write_bytes(good)
    fetch(family, store)
    assert states(family)["motion"] == "ready"


@pytest.mark.parametrize(
    "wrong", [b"<!DOCTYPE html><title>404</title>", b"", b"\x80\x02garbage", b"PK\x03\x04 cut off"]
)
def test_what_is_no_weight_file_is_refused(family, published, store, wrong):
    (published.folder / "motion.pt").write_bytes(wrong)
    with pytest.raises(CheckpointError, match=r"motion\.pt (is a web page|cannot be read)"):
        fetch(family, store)
    assert not leftovers(store)


def test_values_that_are_not_finite_are_refused(family, published, store):
    content = torch.load(published.folder / "motion.pt", weights_only=True)
    content["net_G_ema"]["video_warper.mapping_net.first.0.bias"][2] = float("nan")
    torch.save(content, published.folder / "motion.pt")
    with pytest.raises(CheckpointError, match=r"mapping_net.first.0.bias holds values that are not finite"):
        fetch(family, store)


def test_the_first_digest_is_enforced_on_a_later_fetch(family, published, store):
    fetch(family, store)
    (store / "small" / "motion.safetensors").unlink()
    published.faults["motion.pt"] = deque(["flip"])
    with pytest.raises(CheckpointError, match=r"motion.pt is damaged or not the expected file"):
        fetch(family, store)
    assert not (store / "small" / "motion.safetensors").exists()
    fetch(family, store)
    assert states(family)["motion"] == "ready"


def test_a_stored_file_with_a_flipped_bit_is_found_and_replaced(family, published, store):
    fetch(family, store)
    path = store / "small" / "motion.safetensors"
    content = bytearray(path.read_bytes())
    content[-7] ^= 1
    path.write_bytes(content)
    assert states(family)["motion"] == "damaged"
    with pytest.raises(CheckpointError, match="damaged") as caught:
        family.component("motion").state_dict()
    assert "styleheat checkpoints fetch small" in caught.value.hint
    fetch(family, store)
    assert states(family)["motion"] == "ready"


def test_two_fetches_at_once_ask_for_each_file_once(family, published, store):
    made = []
    threads = [threading.Thread(target=lambda: made.append(fetch(family, store))) for _ in range(2)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert sorted(map(len, made)) == [0, 3]
    assert sorted(name for name, _ in published.requests) == ["average.pth", "directions.zip", "motion.pt"]
    assert states(family) == {"motion": "ready", "average_code": "ready", "directions": "ready"}


def test_the_licence_is_shown_and_asked_once(family, store):
    shown = []
    with pytest.raises(CheckpointError, match="terms") as caught:
        fetch_family(family, store, accept_licence=lambda text: shown.append(text) or False)
    assert caught.value.hint.endswith("--accept-license") and shown == ["for research only"]
    fetch(family, store)
    assert licence_accepted(family, store)
    fetch_family(family, store, accept_licence=lambda text: pytest.fail("asked again"))


def test_a_folder_of_published_files_is_imported_and_left_as_it_is(family, published, store, tmp_path):
    loose = tmp_path / "mine" / "interfacegan_directions"
    loose.mkdir(parents=True)
    for name in ("age", "pose"):
        torch.save(torch.ones(16), loose / f"{name}.pt")
    (tmp_path / "mine" / "motion.pt").write_bytes((published.folder / "motion.pt").read_bytes())
    made, missing = import_family(family, tmp_path / "mine", store, accept_licence=lambda text: True)
    assert {path.name for path in made} == {"motion.safetensors", "directions.safetensors"}
    assert missing == ["average.pth"]
    assert states(family) == {"motion": "ready", "average_code": "missing", "directions": "ready"}
    assert torch.equal(family.component("directions").state_dict()["age"], torch.ones(4, 16))
    assert (tmp_path / "mine" / "motion.pt").is_file() and (loose / "age.pt").is_file()


def test_importing_from_nowhere_and_from_an_empty_folder_says_so(family, store, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(CheckpointError, match="holds none"):
        import_family(family, tmp_path / "empty", store, accept_licence=lambda text: True)
    with pytest.raises(CheckpointError, match="not a folder"):
        import_family(family, tmp_path / "nowhere", store, accept_licence=lambda text: True)


def test_removing_frees_the_space_and_remembers_what_was_published(family, store):
    fetch(family, store)
    used = sum(path.stat().st_size for path in (store / "small").glob("*.safetensors"))
    assert remove_family(family, store) == used
    assert set(states(family).values()) == {"missing"}
    assert set(read_record(store / "small").published) == {"motion.pt", "average.pth", "directions.zip"}
    remove_family(family, store, forget=True)
    assert not (store / "small").exists()


def test_keys_of_the_file_that_is_loaded_last_win(family, published, store):
    path = published.folder / "motion.pt"
    content = torch.load(path, weights_only=True)
    content["net_G_ema"]["generator.latent_avg"] = torch.full((4, 16), 7.0)
    content["net_G_ema"]["generator.unknown"] = torch.zeros(2)
    torch.save(content, path)
    fetch(family, store)
    assert torch.equal(family.component("average_code").state_dict()["latent_avg"], torch.full((4, 16), 7.0))


def test_a_winning_key_of_another_shape_is_refused(family, published, store):
    path = published.folder / "motion.pt"
    content = torch.load(path, weights_only=True)
    content["net_G_ema"]["generator.latent_avg"] = torch.zeros(3, 16)
    torch.save(content, path)
    with pytest.raises(CheckpointError, match=r"net_G_ema.generator.latent_avg has shape \(3, 16\)"):
        fetch(family, store)


def test_a_folder_that_cannot_be_written_is_an_output_error(family, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        fetch(family, tmp_path / "file")


def test_an_address_that_is_no_web_address_is_refused(family, store, tmp_path):
    from styleheat_cli.checkpoints.fetch import fetch as fetch_file

    with pytest.raises(CheckpointError, match="not a web address"):
        fetch_file(f"file://{tmp_path}/small.toml", store / "x")
