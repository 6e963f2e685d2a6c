// The viewer's camera: it orbits a target. `turn` is the compass direction it looks in (0 along y), `tilt` how far down.

class OrbitCamera {
  constructor() {
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

  // Camera coordinates: right, up, depth.
  local(point) {
    const [x, y, z] = point.map((value, k) => value - this.place[k]);
    return [this.right, this.up, this.into].map((axis) => x * axis[0] + y * axis[1] + z * axis[2]);
  }

  screen(local) {
    const scale = this.focal / local[2];
    return [this.width / 2 + local[0] * scale, this.height / 2 - local[1] * scale];
  }

  // The pixel of a point and its depth, null behind the viewer.
  project(point) {
    const local = this.local(point);
    if (local[2] < this.near) return null;
    const [x, y] = this.screen(local);
    return { x, y, depth: local[2], scale: this.focal / local[2] };
  }

  // The ends of a line on the screen, cut where it passes behind the viewer; null if all of it does.
  line(a, b) {
    let [p, q] = [this.local(a), this.local(b)];
    if (p[2] > q[2]) [p, q] = [q, p];
    if (q[2] < this.near) return null;
    if (p[2] < this.near) {
      const t = (this.near - p[2]) / (q[2] - p[2]);
      p = p.map((value, k) => value + t * (q[k] - value));
    }
    return [this.screen(p), this.screen(q)];
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
