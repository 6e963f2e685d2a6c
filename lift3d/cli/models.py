"""``lift3d models``: the checkpoints that can be named."""

from __future__ import annotations

from lift3d.cli.console import report, to_text
from lift3d.cli.options import AsJson


def models(as_json: AsJson = False) -> None:
    """List the checkpoints and their cards."""
    from lift3d.models import list_checkpoints

    checkpoints = list_checkpoints()
    text = "\n\n".join(map(to_text, checkpoints)) or "no checkpoints are installed"
    report({"checkpoints": checkpoints}, text, as_json)
