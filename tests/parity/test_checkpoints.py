"""Published files, built by the rule and served from loopback, become weights that compute the right thing."""

from __future__ import annotations

import functools
import http.server
import threading

import pytest
import torch

from styleheat_cli.checkpoints import load_family
from styleheat_cli.checkpoints.convert import component_state, flatten
from styleheat_cli.checkpoints.install import fetch_family, import_family, standings

from .fixture import MANIFESTS, Fixture
from .golden import parity_folder
from .published_files import publish

BUILT = ("refiner", "motion", "directions", "components", "prior", "standard_face")
"""The smaller sources: 180 MB together, every kind of file among them, and the one that may override others."""


@pytest.fixture(scope="module")
def fixture():
    if parity_folder() is None:
        pytest.skip("no parity fixtures: set STYLEHEAT_SHARED, or lay them beside the repository as ../shared/parity")
    return Fixture(parity_folder(), 1234)


@pytest.fixture(scope="module")
def published(fixture, tmp_path_factory):
    """A folder of published files, under their published names."""
    folder = tmp_path_factory.mktemp("published")
    publish(fixture, folder, BUILT)
    return folder


@pytest.fixture
def family(tmp_path, published, monkeypatch):
    """The published family with its addresses on loopback."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=published)
    handler.log_message = lambda *message: None
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    text = load_family("styleheat").manifest.read_text("utf-8")
    for key in BUILT:
        url = load_family("styleheat").sources[key].url
        text = text.replace(url, f"http://127.0.0.1:{server.server_port}/{url.rsplit('/', 1)[1]}")
    (tmp_path / "styleheat.toml").write_text(text, "utf-8")
    yield load_family(tmp_path / "styleheat.toml", tmp_path / "store")
    server.shutdown()
    server.server_close()


ROLES = ("aligner", "refiner", "motion", "calibration", "directions", "components", "prior", "standard_face")


def holds_the_weights_of_the_rule(family, fixture):
    for role in ROLES:
        component = family.component(role)
        expected = component_state(component, fixture.source(component.source))
        stored = component.state_dict()
        assert stored.keys() == expected.keys()
        assert all(torch.equal(stored[key], expected[key]) for key in expected), role


@pytest.mark.slow  # 10 s
def test_fetched_files_hold_the_published_weights(family, fixture, tmp_path):
    fetch_family(family, tmp_path / "store", roles=ROLES, accept_licence=lambda text: "non-commercial" in text)
    holds_the_weights_of_the_rule(family, fixture)
    ready = {row.role for row in standings(family, thorough=True) if row.state == "ready"}
    assert ready == set(ROLES)


@pytest.mark.slow  # 6 s
def test_imported_files_hold_the_published_weights(family, fixture, published, tmp_path):
    made, missing = import_family(family, published, tmp_path / "store", accept_licence=lambda text: True)
    assert len(made) == len(BUILT) and "StyleGAN_e4e.pth" in missing
    holds_the_weights_of_the_rule(family, fixture)


def test_old_files_without_counters_are_taken(fixture):
    component = fixture.family.component("aligner")
    old = {k: v for k, v in fixture.source("refiner").items() if not k.endswith("num_batches_tracked")}
    assert component_state(component, old).keys() == component_state(component, fixture.source("refiner")).keys()


def test_every_source_with_a_manifest_is_a_source_of_the_family(fixture):
    assert set(MANIFESTS) <= set(fixture.family.sources)
    assert dict(flatten({"a": {"b": torch.ones(1)}})).keys() == {"a.b"}
