"""The command line and the package must start without the heavy libraries."""

import subprocess
import sys

HEAVY = ["torch", "numpy", "scipy", "h5py", "cv2", "matplotlib", "pandas", "pydantic", "safetensors", "einops"]


def loaded_by(code: str) -> set[str]:
    """The heavy modules that a new Python has loaded after running the code."""
    script = f"{code}\nimport sys; print('LOADED', *[name for name in {HEAVY} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(result.stdout.splitlines()[-1].split()[1:])


def test_the_help_loads_nothing_heavy() -> None:
    help_of = "import lift3d.cli.main as main\ntry:\n    main.app({})\nexcept SystemExit:\n    pass"
    assert loaded_by(help_of.format(["--help"])) == set()
    assert loaded_by(help_of.format(["lift", "--help"])) <= {"pydantic"}  # which typer itself asks for


def test_importing_lift3d_loads_nothing_heavy() -> None:
    assert loaded_by("import lift3d") == set()
    assert loaded_by("import lift3d; lift3d.Keypoints2D") == {"numpy"}
