// People as shaded capsules and spheres, painted from the back to the front, and their error bars.

// Error bars are drawn for so many standard deviations.
const DEVIATIONS = 2;

// '#rrggbb' mixed with white (amount > 0) or black (amount < 0).
function mix(colour, amount) {
  const goal = amount > 0 ? 255 : 0;
  const channels = [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16));
  return `rgb(${channels.map((c) => Math.round(c + (goal - c) * Math.abs(amount))).join(',')})`;
}

class Painter {
  constructor(pen) {
    this.pen = pen;
    this.parts = [];
  }

  // Notes a person of a frame for `paint`. `colour` says the colour of a joint or bone by its side and its joints.
  collect(eye, bodies, frame, person, shown, radius, colour) {
    const places = bodies.joints.map((_, joint) => {
      const place = shown.joint(bodies, joint) ? bodies.joint(frame, person, joint) : null;
      return place && eye.project(place);
    });
    const size = radius / (bodies.count > 40 ? 2 : 1);
    // A joint lies before the bones that meet in it.
    const fronts = places.map((place) => place && place.depth);
    for (const [a, b, side] of bodies.bones) {
      const [start, end] = [places[a], places[b]];
      if (!start || !end) continue;
      const depth = (start.depth + end.depth) / 2;
      for (const joint of [a, b]) fronts[joint] = Math.min(fronts[joint], depth);
      this.parts.push({ depth, start, end, colour: colour(side, a, b), radius: size });
    }
    places.forEach((start, joint) => {
      if (!start) return;
      const depth = fronts[joint] - 1e-4;
      const tone = colour(bodies.sides[joint], joint, joint);
      this.parts.push({ depth, start, end: null, colour: tone, radius: size * 1.2 });
    });
  }

  paint(theme) {
    this.rim = theme.sky;
    this.parts.sort((a, b) => b.depth - a.depth);
    for (const part of this.parts) (part.end ? this.drawBone(part) : this.drawJoint(part));
    this.parts = [];
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
    this.pen.strokeStyle = this.rim;
    this.pen.stroke();
    this.pen.fillStyle = fill;
    this.pen.fill();
  }

  // The outline of each joint's error ellipsoid, as the eye sees it.
  drawErrorBars(eye, bodies, frame, person, shown, colours, theme) {
    const pen = this.pen;
    bodies.joints.forEach((_, joint) => {
      const place = shown.joint(bodies, joint) ? bodies.joint(frame, person, joint) : null;
      const axes = place && bodies.errorBar(frame, person, joint);
      const centre = axes && eye.project(place);
      if (!centre) return;
      // What the three axes move the pixel by; their outer products add up to the ellipse.
      let [xx, xy, yy] = [0, 0, 0];
      for (const axis of axes) {
        const tip = eye.project(place.map((value, k) => value + 0.01 * axis[k]));
        if (!tip) return;
        const [dx, dy] = [100 * (tip.x - centre.x), 100 * (tip.y - centre.y)];
        xx += dx * dx;
        xy += dx * dy;
        yy += dy * dy;
      }
      const [mean, half] = [(xx + yy) / 2, Math.hypot((xx - yy) / 2, xy)];
      const radii = [mean + half, mean - half].map((value) => Math.max(1, DEVIATIONS * Math.sqrt(Math.max(0, value))));
      pen.beginPath();
      pen.ellipse(centre.x, centre.y, radii[0], radii[1], Math.atan2(2 * xy, xx - yy) / 2, 0, 2 * Math.PI);
      pen.fillStyle = pen.strokeStyle = colours[bodies.sides[joint]];
      pen.globalAlpha = 0.28;
      pen.fill();
      pen.globalAlpha = 0.9;
      pen.lineWidth = 1.2 * theme.ratio;
      pen.stroke();
      pen.globalAlpha = 1;
    });
  }
}
