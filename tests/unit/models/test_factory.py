"""Networks by name: what is refused, before anything is allocated."""

from typing import Any

import pytest

from lift3d.errors import CheckpointError
from lift3d.models.factory import ARCHITECTURES, make_config, make_network, settings_for


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_unknown_fields_are_named_beside_the_known(architecture: str) -> None:
    with pytest.raises(CheckpointError, match=rf"{architecture}.*chanels.*channels"):
        make_network(architecture, {"chanels": 8})


@pytest.mark.parametrize("name", ["transformer", "", None, ["recurrent"], "../recurrent"])
def test_unknown_architectures_are_refused_and_the_known_listed(name: Any) -> None:
    with pytest.raises(CheckpointError, match="graph_transformer"):
        make_network(name, {})


@pytest.mark.parametrize(
    ("architecture", "settings"),
    [
        ("residual_mlp", {"channels": 1_000_000}),
        ("recurrent", {"channels": 100_000, "layers": 100}),
        ("graph_transformer", {"channels": 100_000, "layers": 256}),
        ("graph_convolution", {"channels": 100_000}),
        ("graph_convolution", {"channels": 1, "filter_widths": [3] * 200}),
        ("temporal_convolution", {"channels": 1_000_000, "joints_in": 1_000_000}),
        ("temporal_convolution", {"channels": 2, "filter_widths": [10**12 + 1]}),
        ("recurrent", {"frames": 1_000_000}),
    ],
)
def test_huge_networks_are_refused_without_allocating(
    architecture: str, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def allocate(*_: Any) -> None:
        raise AssertionError("the network was built")

    name = ARCHITECTURES[architecture][1]
    monkeypatch.setattr(f"lift3d.models.{architecture}.modeling.{name}.__init__", allocate)
    with pytest.raises(CheckpointError, match=architecture):
        make_network(architecture, settings)


@pytest.mark.parametrize("value", [0, -1, 1.5, "8", None, True, float("nan"), [8], {}])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_impossible_values_are_refused(architecture: str, value: Any) -> None:
    with pytest.raises(CheckpointError, match=architecture):
        make_network(architecture, {"channels": value})


@pytest.mark.parametrize(
    ("architecture", "settings", "message"),
    [
        ("graph_transformer", {"size": "XXL"}, "XS, S, B"),
        ("graph_transformer", {"channels": 30, "heads": 8}, "multiple"),
        ("graph_transformer", {"layer_scale": 0}, "layer_scale"),
        ("graph_transformer", {"skeleton": "no17"}, "lifter23"),
        ("graph_transformer", {"skeleton": 17}, "skeleton"),
        ("graph_convolution", {"joints_in": 20}, "17 joints"),
        ("graph_convolution", {"joints_out": 15}, "17 joints"),
        ("graph_convolution", {"filter_widths": [2]}, "odd"),
        ("graph_convolution", {"filter_widths": 3}, "odd"),
        ("graph_convolution", {"dropout": 1}, "dropout"),
        ("recurrent", {"cell": "rnn"}, "lstm, gru"),
        ("recurrent", {"cell": ["lstm"]}, "lstm, gru"),
        ("recurrent", {"both_ways": "yes"}, "both_ways"),
        ("residual_mlp", {"size": "B"}, "no field size"),
        ("residual_mlp", {"dropout": "much"}, "dropout"),
        ("residual_mlp", ["channels"], "names and values"),
    ],
)
def test_each_wrong_field_is_one_sentence(architecture: str, settings: Any, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        make_config(architecture, settings)


def test_a_size_gives_way_to_a_field_that_is_given() -> None:
    config: Any = make_config("graph_transformer", {"size": "XS", "frames": 81})
    assert (config.layers, config.channels, config.frames) == (12, 64, 81)


def test_settings_follow_from_the_data_unless_given() -> None:
    data: dict[str, Any] = {
        "joints_in": 24, "features_in": 3, "skeleton": "lifter23", "skeleton_out": "h36m17", "joints_out": 17,
    }  # fmt: skip
    graph = settings_for("graph_convolution", {"channels": 8}, **data)
    assert graph == data | {"channels": 8}
    plain = settings_for("residual_mlp", {"channels": 8, "features_in": 2}, **data)
    assert plain == {"joints_in": 24, "features_in": 2, "joints_out": 17, "channels": 8}
    make_network("graph_convolution", graph)
    make_network("residual_mlp", plain)
