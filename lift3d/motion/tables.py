"""Rows of results as JSON values and as a pandas DataFrame."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from lift3d.errors import MissingDependencyError

if TYPE_CHECKING:
    import pandas


def json_values(value: Any) -> Any:
    """The value in what JSON has: numbers of numpy become Python's, NaN becomes None, dates become texts."""
    if isinstance(value, dict):
        return {str(key): json_values(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_values(item) for item in value]
    if isinstance(value, np.ndarray):
        return json_values(value.tolist())
    if isinstance(value, np.generic):
        return json_values(value.item())
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return value.isoformat() if isinstance(value, date) else value


def rows_of(items: Iterable[Any]) -> list[dict[str, Any]]:
    """Dataclasses as rows of JSON values."""
    return [json_values(asdict(item)) for item in items]


def dataframe(rows: list[dict[str, Any]], columns: Iterable[str] | None = None) -> pandas.DataFrame:
    """Rows as a DataFrame; ``columns`` names them for a table without rows.

    Raises MissingDependencyError without pandas.
    """
    try:
        import pandas
    except ImportError as error:
        raise MissingDependencyError("tables need pandas: pip install 'lift3d[export]'") from error
    return pandas.DataFrame(rows, columns=None if rows or columns is None else list(columns))
