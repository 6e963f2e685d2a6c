// The 3D drawing: floor, shadows, paths, and people as shaded capsules, painted from the back to the front.

const GRID_STEPS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50];

// '#rrggbb' mixed with white (amount > 0) or black (amount < 0).
function mix(colour, amount) {
  const goal = amount > 0 ? 255 : 0;
  const channels = [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16));
  return `rgb(${channels.map((c) => Math.round(c + (goal - c) * Math.abs(amount))).join(',')})`;
}

class Stage {
  constructor(canvas, clip) {
    this.canvas = canvas;
    this.pen = canvas.getContext('2d');
    this.clip = clip;
    this.camera = new OrbitCamera();
    this.follow = -1;
    this.pan = [0, 0, 0];
    this.measure();
    this.look('front');
  }

  // The size of the bodies and the place of the whole scene, from a sample of the clip.
  measure() {
    const { poses, frames, fps } = this.clip;
    const reach = [];
    const low = [Infinity, Infinity, Infinity];
    const high = [-Infinity, -Infinity, -Infinity];
    this.trails = Array.from({ length: poses.people }, () => []);
    for (const frame of sampledFrames(frames, Math.max(40, 1200 / poses.people))) {
      for (let person = 0; person < poses.people; person++) {
        const middle = poses.middle(frame, person);
        this.trails[person].push(middle);
        if (!middle) continue;
        let far = 0;
        for (let joint = 0; joint < poses.count; joint++) {
          const place = poses.joint(frame, person, joint);
          if (place) far = Math.max(far, Math.hypot(...place.map((value, k) => value - middle[k])));
        }
        if (far > 0) reach.push(far);
        for (let k = 0; k < 3; k++) {
          low[k] = Math.min(low[k], middle[k]);
          high[k] = Math.max(high[k], middle[k]);
        }
      }
    }
    reach.sort((a, b) => a - b);
    this.body = reach[Math.floor(reach.length * 0.95)] || 1;
    this.centre = low.map((value, k) => (value + high[k]) / 2);
    this.travel = Math.hypot(high[0] - low[0], high[1] - low[1]);
    this.radius = this.body * 0.95 + this.travel * 0.35;
    const window = Math.max(1, Math.round((fps || 30) / 4));
    this.paths = this.trails.map((_, person) => smoothPath(poses, person, frames, window));
  }

  look(name) {
    const { camera, clip } = this;
    this.pan = [0, 0, 0];
    this.named = name;
    camera.view = 0.7;
    camera.tilt = { front: 0.12, side: 0.12, top: Math.PI / 2, camera: 0 }[name];
    camera.turn = clip.front - (name === 'side' ? Math.PI / 2 : 0);
    if (name === 'camera') {
      // From the origin of camera space, along its axis: what the camera saw.
      camera.view = clip.camera.view || 0.9;
      camera.distance = Math.max(0.3, this.centre[1]);
      this.follow = -1;
      this.pan = [-this.centre[0], 0, -this.centre[2]];
    } else {
      this.fit();
    }
  }

  fit() {
    const { camera, canvas } = this;
    const radius = this.follow >= 0 ? this.body : this.radius;
    const narrow = Math.min(1, canvas.width / Math.max(1, canvas.height));
    camera.distance = radius / Math.sin(Math.atan(Math.tan(camera.view / 2) * narrow));
  }

  resize() {
    const ratio = window.devicePixelRatio || 1;
    const width = Math.max(1, Math.round(this.canvas.clientWidth * ratio));
    const height = Math.max(1, Math.round(this.canvas.clientHeight * ratio));
    if (this.canvas.width === width && this.canvas.height === height) return;
    const first = !this.sized;
    this.canvas.width = width;
    this.canvas.height = height;
    this.sized = true;
    if (first && this.named !== 'camera') this.fit();
  }

  aim(frame) {
    const middle = this.follow >= 0 ? this.paths[this.follow][frame] : this.centre;
    this.camera.target = middle.map((value, k) => value + this.pan[k]);
    this.camera.aim(this.canvas.width, this.canvas.height);
  }

  draw(frame, shown, showTruth, theme) {
    const { pen, canvas, clip } = this;
    this.aim(frame);
    this.theme = theme;
    const sky = pen.createLinearGradient(0, 0, 0, canvas.height);
    sky.addColorStop(0, theme.sky);
    sky.addColorStop(1, theme.ground);
    pen.fillStyle = sky;
    pen.fillRect(0, 0, canvas.width, canvas.height);
    pen.lineCap = pen.lineJoin = 'round';
    const step = this.drawFloor(clip.floor);
    if (clip.camera && this.named !== 'camera') this.drawCamera();
    const parts = [];
    const mode = theme.dark ? 'dark' : 'light';
    if (clip.truth && showTruth) {
      for (let person = 0; person < clip.truth.people; person++) {
        this.collect(parts, clip.truth, frame, person, clip.truthColours[mode], 0.55);
      }
    }
    for (let person = 0; person < clip.poses.people; person++) {
      if (!shown[person]) continue;
      const colours = clip.people[person].colours[mode];
      if (clip.floor !== null) {
        this.drawTrail(person, colours.middle);
        this.drawShadow(clip.poses, frame, person);
      }
      this.collect(parts, clip.poses, frame, person, colours, 1);
    }
    parts.sort((a, b) => b.depth - a.depth);
    for (const part of parts) (part.end ? this.drawBone(part) : this.drawJoint(part));
    return step;
  }

  // Squares of a round size that fade with the distance. Returns their size in metres, null without a floor.
  drawFloor(floor) {
    if (floor === null) return null;
    const { pen, camera, theme } = this;
    const step = GRID_STEPS.find((size) => size > camera.distance * 0.09) || 50;
    const cells = 14;
    const middle = [0, 1].map((k) => Math.round(camera.target[k] / step) * step);
    const levels = Array.from({ length: 6 }, () => new Path2D());
    for (let i = -cells; i <= cells; i++) {
      for (let j = -cells; j < cells; j++) {
        const fade = 1 - Math.hypot(i, j + 0.5) / cells;
        if (fade <= 0) continue;
        const level = levels[Math.min(5, Math.floor(fade * 6))];
        for (const [a, b] of [[[i, j], [i, j + 1]], [[j, i], [j + 1, i]]]) {
          const ends = [a, b].map(([x, y]) => [middle[0] + x * step, middle[1] + y * step, floor]);
          const line = camera.line(...ends);
          if (!line) continue;
          level.moveTo(...line[0]);
          level.lineTo(...line[1]);
        }
      }
    }
    pen.strokeStyle = theme.grid;
    pen.lineWidth = Math.max(1, (window.devicePixelRatio || 1) * 0.9);
    levels.forEach((path, level) => {
      pen.globalAlpha = (level + 1) / 7;
      pen.stroke(path);
    });
    pen.globalAlpha = 1;
    return step;
  }

  // The camera as a small pyramid at the origin of camera space.
  drawCamera() {
    const { pen, camera, theme } = this;
    const depth = this.body * 0.3;
    const y = Math.tan((this.clip.camera.view || 0.9) / 2) * depth;
    const x = y * (this.clip.camera.aspect || 1.5);
    const corners = [[-x, depth, y], [x, depth, y], [x, depth, -y], [-x, depth, -y]];
    pen.strokeStyle = theme.faint;
    pen.lineWidth = 1.5 * (window.devicePixelRatio || 1);
    pen.beginPath();
    corners.forEach((corner, i) => {
      for (const line of [camera.line([0, 0, 0], corner), camera.line(corner, corners[(i + 1) % 4])]) {
        if (!line) continue;
        pen.moveTo(...line[0]);
        pen.lineTo(...line[1]);
      }
    });
    pen.stroke();
  }

  drawTrail(person, colour) {
    const { pen, camera, clip } = this;
    pen.strokeStyle = colour;
    pen.globalAlpha = 0.35;
    pen.lineWidth = 1.5 * (window.devicePixelRatio || 1);
    pen.beginPath();
    this.trails[person].forEach((place, i) => {
      const before = this.trails[person][i - 1];
      const line = place && before && camera.line([before[0], before[1], clip.floor], [place[0], place[1], clip.floor]);
      if (!line) return;
      pen.moveTo(...line[0]);
      pen.lineTo(...line[1]);
    });
    pen.stroke();
    pen.globalAlpha = 1;
  }

  // One path a person, so that the shadows of its bones do not add up.
  drawShadow(bodies, frame, person) {
    const { pen, camera, clip } = this;
    let scale = 0;
    pen.beginPath();
    for (const [a, b] of bodies.bones) {
      const ends = [a, b].map((joint) => bodies.joint(frame, person, joint));
      if (!ends[0] || !ends[1]) continue;
      const [p, q] = ends.map((place) => camera.project([place[0], place[1], clip.floor]));
      if (!p || !q) continue;
      pen.moveTo(p.x, p.y);
      pen.lineTo(q.x, q.y);
      scale = Math.max(scale, p.scale);
    }
    pen.strokeStyle = this.theme.dark ? 'rgba(0,0,0,.45)' : 'rgba(30,40,60,.16)';
    pen.lineWidth = Math.max(1, scale * clip.thickness * 1.6);
    pen.stroke();
  }

  collect(parts, bodies, frame, person, colours, thickness) {
    const places = bodies.joints.map((_, joint) => {
      const place = bodies.joint(frame, person, joint);
      return place && this.camera.project(place);
    });
    const radius = (this.clip.thickness * thickness) / (bodies.count > 40 ? 2 : 1);
    // A joint lies before the bones that meet in it.
    const fronts = places.map((place) => place && place.depth);
    for (const [a, b, side] of bodies.bones) {
      const [start, end] = [places[a], places[b]];
      if (!start || !end) continue;
      const depth = (start.depth + end.depth) / 2;
      for (const joint of [a, b]) fronts[joint] = Math.min(fronts[joint], depth);
      parts.push({ depth, start, end, colour: colours[side], radius });
    }
    places.forEach((start, joint) => {
      if (!start) return;
      const depth = fronts[joint] - 1e-4;
      parts.push({ depth, start, end: null, colour: colours[bodies.sides[joint]], radius: radius * 1.2 });
    });
  }

  // A capsule: two circles and their hull, lit across its width, parted from what is behind it by a line.
  drawBone({ start, end, colour, radius }) {
    const pen = this.pen;
    const [r1, r2] = [start, end].map((place) => Math.max(1, place.scale * radius));
    const angle = Math.atan2(end.y - start.y, end.x - start.x);
    const side = angle + Math.PI / 2;
    pen.beginPath();
    pen.arc(start.x, start.y, r1, side, side + Math.PI);
    pen.arc(end.x, end.y, r2, side + Math.PI, side + 2 * Math.PI);
    pen.closePath();
    // The light comes from the upper left, whichever way the bone points.
    let across = [Math.cos(side), Math.sin(side)];
    if (across[0] + across[1] > 0) across = [-across[0], -across[1]];
    const [x, y, r] = [(start.x + end.x) / 2, (start.y + end.y) / 2, Math.max(r1, r2)];
    const light = pen.createLinearGradient(x + across[0] * r, y + across[1] * r, x - across[0] * r, y - across[1] * r);
    light.addColorStop(0, mix(colour, -0.1));
    light.addColorStop(0.32, mix(colour, 0.32));
    light.addColorStop(0.6, colour);
    light.addColorStop(1, mix(colour, -0.42));
    this.finish(light, r);
  }

  drawJoint({ start, colour, radius }) {
    const pen = this.pen;
    const { x, y } = start;
    const r = Math.max(1.2, start.scale * radius);
    pen.beginPath();
    pen.arc(x, y, r, 0, 2 * Math.PI);
    const light = pen.createRadialGradient(x - r * 0.35, y - r * 0.4, r * 0.1, x, y, r);
    light.addColorStop(0, mix(colour, 0.5));
    light.addColorStop(0.5, colour);
    light.addColorStop(1, mix(colour, -0.4));
    this.finish(light, r);
  }

  finish(fill, size) {
    this.pen.lineWidth = Math.min(3, size * 0.3);
    this.pen.strokeStyle = this.theme.sky;
    this.pen.stroke();
    this.pen.fillStyle = fill;
    this.pen.fill();
  }
}
