"""Metrics, protocols and reports: how far predicted poses are from the truth."""

from lift3d.evaluation.compare import evaluate
from lift3d.evaluation.metrics import auc_3d, mpjpe, mpjve, n_mpjpe, p_mpjpe, pck_3d
from lift3d.evaluation.report import Report

__all__ = ["Report", "auc_3d", "evaluate", "mpjpe", "mpjve", "n_mpjpe", "p_mpjpe", "pck_3d"]
