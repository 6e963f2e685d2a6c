"""Fixtures that every test may use."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of recordings that are too large for the repository; tests that need it skip where it is absent."""
    default = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("LIFT3D_SHARED_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"no recordings at {folder} (set LIFT3D_SHARED_DATA)")
    return folder
