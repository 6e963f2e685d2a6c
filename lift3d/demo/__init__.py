"""The recorded clip that ships with lift3d."""

from pathlib import Path

CLIP = Path(__file__).with_name("balancing.h5")
