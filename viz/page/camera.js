// What one looks through. Camera coordinates here are right, up, depth.

class Eye {
  // The pixel of a point and its depth, null where it is not seen.
  project(point) {
    const local = this.local(point);
    const pixel = local[2] < this.near ? null : this.screen(local);
    return pixel && { x: pixel[0], y: pixel[1], depth: local[2], scale: this.focal / local[2] };
  }

  // The ends of a line on the screen, cut where it passes behind the viewer; null if it is not seen.
  line(a, b) {
    let [p, q] = [this.local(a), this.local(b)];
    if (p[2] > q[2]) [p, q] = [q, p];
    if (q[2] < this.near) return null;
    if (p[2] < this.near) {
      const t = (this.near - p[2]) / (q[2] - p[2]);
      p = p.map((value, k) => value + t * (q[k] - value));
    }
    const ends = [this.screen(p), this.screen(q)];
    return ends[0] && ends[1] ? ends : null;
  }
}

// The viewer's own eye: it orbits a target. `turn` is the compass direction it looks in (0 along y), `tilt` how far down.
class OrbitCamera extends Eye {
  constructor() {
    super();
    this.target = [0, 0, 0];
    this.turn = 0;
    this.tilt = 0.2;
    this.distance = 4;
    this.view = 0.7; // vertical field of view, radians
  }

  // Reads the pose once for all points of a drawing of width x height pixels.
  aim(width, height) {
    const [s, c, d, u] = [Math.sin(this.turn), Math.cos(this.turn), Math.sin(this.tilt), Math.cos(this.tilt)];
    this.right = [c, -s, 0];
    this.into = [s * u, c * u, -d];
    this.up = [s * d, c * d, u];
    this.place = this.target.map((value, k) => value - this.into[k] * this.distance);
    this.width = width;
    this.height = height;
    this.focal = height / 2 / Math.tan(this.view / 2);
    this.near = Math.max(0.02, this.distance * 0.02);
  }

  local(point) {
    const [x, y, z] = point.map((value, k) => value - this.place[k]);
    return [this.right, this.up, this.into].map((axis) => x * axis[0] + y * axis[1] + z * axis[2]);
  }

  screen(local) {
    const scale = this.focal / local[2];
    return [this.width / 2 + local[0] * scale, this.height / 2 - local[1] * scale];
  }

  orbit(dx, dy) {
    this.turn += dx;
    this.tilt = Math.min(Math.PI / 2, Math.max(-1.45, this.tilt + dy));
  }

  zoom(factor) {
    this.distance = Math.min(500, Math.max(0.1, this.distance * factor));
  }

  // How far the target moves in metres for a drag of dx, dy pixels.
  drag(dx, dy) {
    const scale = this.distance / this.focal;
    return [0, 1, 2].map((k) => (-dx * this.right[k] + dy * this.up[k]) * scale);
  }
}

// A real camera with its lens, by OpenCV's models; its whole image is fitted into the drawing.
class RealCamera extends Eye {
  constructor(packed) {
    super();
    Object.assign(this, packed);
    // R is orthonormal and local = R place + t, so place = -R' t.
    this.place = [0, 1, 2].map((k) => -[0, 1, 2].reduce((sum, row) => sum + this.R[row][k] * this.t[row], 0));
    this.into = this.R[2];
    this.near = 0.05;
    this.images = this.pictures.map(({ frame, data }) => {
      const image = new Image();
      image.src = data;
      return { frame, image };
    });
  }

  // The picture nearest in time to a frame of the original clip, with its own frame's number; null if there is none or
  // it is not decoded yet.
  picture(frame) {
    let best = null;
    for (const item of this.images) {
      if (!best || Math.abs(item.frame - frame) < Math.abs(best.frame - frame)) best = item;
    }
    return best && best.image.complete && best.image.naturalWidth ? best : null;
  }

  aim(width, height) {
    this.width = width;
    this.height = height;
    this.fit = Math.min(width / this.size[0], height / this.size[1]);
    this.focal = this.K[1][1] * this.fit;
    this.left = (width - this.size[0] * this.fit) / 2;
    this.top = (height - this.size[1] * this.fit) / 2;
  }

  local(point) {
    const row = (k) => this.R[k][0] * point[0] + this.R[k][1] * point[1] + this.R[k][2] * point[2] + this.t[k];
    return [row(0), -row(1), row(2)];
  }

  // null where the lens model does not reach.
  screen(local) {
    const [x, y] = [local[0] / local[2], -local[1] / local[2]];
    if (Math.hypot(x, y) > this.reach) return null;
    const [u, v] = this.bend(x, y);
    const { K, fit, left, top } = this;
    return [left + (K[0][0] * u + K[0][1] * v + K[0][2]) * fit, top + (K[1][1] * v + K[1][2]) * fit];
  }

  bend(x, y) {
    const c = this.distortion;
    const s = x * x + y * y;
    if (this.fisheye) {
      const r = Math.sqrt(s);
      if (r < 1e-8) return [x, y];
      const a = Math.atan(r);
      const b = a * a;
      const factor = (a / r) * (1 + b * (c[0] + b * (c[1] + b * (c[2] + b * c[3]))));
      return [x * factor, y * factor];
    }
    const [k1, k2, p1, p2, k3, k4, k5, k6] = [...c, 0, 0, 0];
    const factor = (1 + s * (k1 + s * (k2 + s * k3))) / (1 + s * (k4 + s * (k5 + s * k6)));
    return [
      factor * x + 2 * p1 * x * y + p2 * (s + 2 * x * x),
      factor * y + p1 * (s + 2 * y * y) + 2 * p2 * x * y,
    ];
  }

  // A point of the image (0..1 to the right, 0..1 down) at `depth` metres before the camera; without the lens.
  at(right, down, depth) {
    const { K, R, t, size } = this;
    const y = (down * size[1] - K[1][2]) / K[1][1];
    const x = (right * size[0] - K[0][2] - K[0][1] * y) / K[0][0];
    const local = [x * depth - t[0], y * depth - t[1], depth - t[2]];
    return [0, 1, 2].map((k) => R[0][k] * local[0] + R[1][k] * local[1] + R[2][k] * local[2]);
  }
}
