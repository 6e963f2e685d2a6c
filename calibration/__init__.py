"""Calibration of cameras: boards, intrinsics, extrinsics, bundle adjustment, and how far to trust the result."""
