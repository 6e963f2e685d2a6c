"""lift3d: from 2D keypoints, of one camera or many, to 3D human motion."""
