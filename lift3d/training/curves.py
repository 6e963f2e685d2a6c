"""The curves of a run: one CSV file, and TensorBoard's."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lift3d.errors import MissingDependencyError
from lift3d.io.files import atomic_path


class Curves:
    """Rows of figures by step; what a resumed run writes again replaces what was written after its state.

    Args:
        path: the CSV file; TensorBoard's lie beside it.
        step: the step that the run goes on from; later rows are dropped.

    Raises:
        MissingDependencyError: TensorBoard is not installed.
    """

    def __init__(self, path: Path, step: int = 0) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise MissingDependencyError("training curves need TensorBoard: pip install 'lift3d[train]'") from error
        self.path = path
        self.columns: list[str] = []
        if path.exists():
            self._keep_until(step)
        # typed as Any: torch exports the class without annotations.
        self.board: Any = SummaryWriter(str(path.parent), purge_step=step + 1 if step else None)

    def write(self, step: int, figures: Mapping[str, float]) -> None:
        """Append one row; the columns are those of the first row, and what a later row lacks stays empty."""
        row = {"step": step, **figures}
        known = bool(self.columns)
        if not known:
            self.columns = list(row)
        elif new := [name for name in row if name not in self.columns]:
            self._add_columns(new)
        with self.path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, self.columns)
            if not known:
                writer.writeheader()
            writer.writerow({name: f"{value:.8g}" for name, value in row.items()})
        for name, value in figures.items():
            if math.isfinite(value):
                self.board.add_scalar(name, value, step)
        self.board.flush()

    def close(self) -> None:
        """Close TensorBoard's file."""
        self.board.close()

    def _keep_until(self, step: int) -> None:
        rows = read_curves(self.path)
        self.columns = list(rows[0]) if rows else []
        self._rewrite([row for row in rows if float(row["step"] or 0) <= step])

    def _add_columns(self, names: list[str]) -> None:
        rows = read_curves(self.path)
        self.columns += names
        self._rewrite(rows)

    def _rewrite(self, rows: list[dict[str, str]]) -> None:
        if not rows:
            self.columns = []
            self.path.unlink()
            return
        with atomic_path(self.path, overwrite=True) as temporary, temporary.open("w", newline="") as file:
            writer = csv.DictWriter(file, self.columns)
            writer.writeheader()
            writer.writerows(rows)


def read_curves(path: Path) -> list[dict[str, str]]:
    """The rows of a ``metrics.csv`` as text; a last row that was cut off in writing is left out."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [row for row in rows if None not in row.values() and None not in row]
