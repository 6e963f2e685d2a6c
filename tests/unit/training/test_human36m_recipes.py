"""The Human3.6M recipes: what they say, the networks they make, and a few steps of each on files of its shape."""

from pathlib import Path

import numpy as np
import pytest
import torch
from set_samples import standing

from lift3d.datasets.pose_sets import write_pose_set
from lift3d.datasets.recordings import DataSetInfo, Recording, View
from lift3d.geometry.cameras import Camera
from lift3d.models.factory import make_network
from lift3d.training.config_files import read_config
from lift3d.training.run import make_training
from lift3d.training.schedules import learning_rate, norm_momentum

RECIPES = Path(__file__).parents[3] / "experiments" / "human36m"
PARAMETERS = {"videopose3d": 16.95, "semi_supervised": 8.56, "motionagformer_xs": 2.2, "motionagformer_s": 4.8,
              "motionagformer_b": 11.7}  # fmt: skip
# Small enough for a test; what the recipe says of data, losses and optimizer stays.
SMALL = {
    "temporal_convolution": ["model.settings.channels=16"],
    "graph_transformer": ["model.settings.layers=1", "model.settings.channels=16", "model.settings.representation=16"],
}
CAMERA = Camera(
    np.array([[1145.0, 0, 512], [0, 1143, 515], [0, 0, 1]]),
    np.array([-0.2, 0.24, -0.001, 0.002, -0.05]),
    np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]),
    np.array([0, 1.0, 5]),
    (1000, 1002),
    "cam0",
)


def make_set(path: Path) -> None:
    """A set as ``lift3d prepare human36m`` makes it, with somebody who sways."""
    info = DataSetInfo("human36m", "h36m17", "h36m17", training=("S1", "S5", "S6", "S7", "S8"), test=("S9", "S11"))
    recordings = []
    for k, subject in enumerate((*info.training, *info.test)):
        time = np.arange(40)[:, None, None] / 50
        sway = 0.05 * np.sin(5 * time + np.random.default_rng(k).uniform(0, 6, (17, 3)))
        xyz = (standing().numpy()[:, [0, 2, 1]] * [1, 1, -1] + [0, 0, 0.9] + sway).astype(np.float32)
        xy = CAMERA.project(xyz).astype(np.float32)
        view = View(CAMERA, xy, np.ones(xy.shape[:2], np.float32))
        recordings.append(Recording(f"{subject}/Walking", subject, "Walking", 50.0, xyz, (view,)))
    write_pose_set(path, info, recordings)


@pytest.mark.parametrize("name", PARAMETERS)
def test_networks_have_their_published_size(name: str) -> None:
    config = read_config(RECIPES / f"{name}.yaml")
    network = make_network(config.model.architecture, {"features_in": 2, **config.model.settings})
    count = sum(parameter.numel() for parameter in network.parameters()) / 1e6
    assert count == pytest.approx(PARAMETERS[name], rel=0.02)


def test_videopose3d_is_the_published_recipe() -> None:
    config = read_config(RECIPES / "videopose3d.yaml")
    assert (config.batch, config.outputs, config.epochs, config.augmentation.flip) == (1024, 1, 80, True)
    optimizer = config.optimizer
    assert (optimizer.name, optimizer.amsgrad, optimizer.clip_norm, optimizer.weight_decay) == ("adam", True, None, 0)
    # Its loop: the rate times 0.95 after every epoch, the momentum 0.1 exp(-epoch / 80 log(0.1 / 0.001)).
    for epoch in (0, 1, 40, 79):
        assert learning_rate(optimizer, epoch * 50, 4000, 50) == pytest.approx(1e-3 * 0.95**epoch)
        expected = 0.1 * np.exp(-epoch / 80 * np.log(0.1 / 0.001))
        assert norm_momentum(optimizer, epoch * 50, 4000) == pytest.approx(expected)


@pytest.mark.parametrize("name", PARAMETERS)
def test_recipes_train_on_a_set_of_that_shape(name: str, tmp_path: Path) -> None:
    for file in ("human36m_cpn.h5", "human36m_gt.h5"):
        make_set(tmp_path / file)
    (tmp_path / "recipe.yaml").write_text((RECIPES / f"{name}.yaml").read_text())
    recipe = read_config(tmp_path / "recipe.yaml")
    config = read_config(tmp_path / "recipe.yaml", [*SMALL[recipe.model.architecture], "batch=16"])
    training = make_training(config)
    networks = [network for network in (training.network, training.trajectory) if network is not None]
    parameters = [parameter for network in networks for parameter in network.parameters()]
    optimizer = torch.optim.AdamW(parameters, 1e-3)
    losses = []
    for step in range(8):
        for network in networks:
            network.train()
        unlabelled = None if training.unlabelled is None else training.unlabelled.batch(step)
        loss, figures = training.objective(
            training.network, training.source.batch(step), unlabelled, training.trajectory
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert np.isfinite(losses).all()
    assert min(losses[-3:]) < losses[0]
    assert ("unlabelled_reprojection" in figures) == (name == "semi_supervised")
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in parameters)
