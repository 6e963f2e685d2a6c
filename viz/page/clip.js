// The clip: what Python packed into the page, as plain numbers again.

const MISSING = -32768;

function decode(text, Kind) {
  const characters = atob(text);
  const bytes = new Uint8Array(characters.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = characters.charCodeAt(i);
  return new Kind(bytes.buffer);
}

// 3D people of one skeleton. Space: metres, z up.
class Bodies {
  constructor(packed) {
    Object.assign(this, packed);
    this.count = packed.joints.length;
    this.root = decode(packed.root, Float32Array);
    this.offsets = decode(packed.offsets, Int16Array);
    this.spreads = packed.spread ? decode(packed.spread.values, Int16Array) : null;
  }

  // [x, y, z] of a joint, null where it is missing.
  joint(frame, person, joint) {
    const body = frame * this.people + person;
    const at = (body * this.count + joint) * 3;
    if (this.offsets[at] === MISSING) return null;
    return [0, 1, 2].map((k) => this.root[body * 3 + k] + this.step * this.offsets[at + k]);
  }

  middle(frame, person) {
    const at = (frame * this.people + person) * 3;
    return Number.isNaN(this.root[at]) ? null : [this.root[at], this.root[at + 1], this.root[at + 2]];
  }

  // The three axes of a joint's error bar in metres, one standard deviation; null where it is unknown.
  errorBar(frame, person, joint) {
    if (!this.spreads) return null;
    const { numbers, step } = this.spread;
    const at = ((frame * this.people + person) * this.count + joint) * numbers;
    if (this.spreads[at] === MISSING) return null;
    const value = (k) => this.spreads[at + k] * step;
    if (numbers === 1) return [[value(0), 0, 0], [0, value(0), 0], [0, 0, value(0)]];
    return [[value(0), value(1), value(2)], [value(1), value(3), value(4)], [value(2), value(4), value(5)]];
  }
}

// 2D people of one skeleton, in pixels.
class Flat {
  constructor(packed) {
    Object.assign(this, packed);
    this.count = packed.joints.length;
    this.steps = decode(packed.xy, Int16Array);
  }

  joint(frame, person, joint) {
    const at = ((frame * this.people + person) * this.count + joint) * 2;
    if (this.steps[at] === MISSING) return null;
    return [this.middle[0] + this.step * this.steps[at], this.middle[1] + this.step * this.steps[at + 1]];
  }
}

// Joint angles in degrees: of the clip and, where there is one, of its truth.
class Angles {
  constructor(packed, people) {
    Object.assign(this, packed);
    this.people = people;
    this.ours = decode(packed.values, Int16Array);
    this.theirs = packed.truth ? decode(packed.truth, Int16Array) : null;
  }

  // NaN where the angle cannot be had.
  value(frame, person, column, ofTruth = false) {
    const step = (ofTruth ? this.theirs : this.ours)[(frame * this.people + person) * this.count + column];
    return step === MISSING ? NaN : step * this.step;
  }
}

// At most `count` frame numbers from the first to the last.
function sampledFrames(frames, count) {
  const every = Math.max(1, Math.ceil(frames / count));
  const chosen = [];
  for (let frame = 0; frame < frames; frame += every) chosen.push(frame);
  return chosen;
}

// Where a person is, gaps filled and smoothed over about half a second, for a view that follows.
function smoothPath(bodies, person, frames, window) {
  const places = [];
  let last = null;
  for (let frame = 0; frame < frames; frame++) places.push((last = bodies.middle(frame, person) || last));
  const first = places.find((place) => place) || [0, 0, 0];
  const sums = [[0, 0, 0]];
  for (const place of places) sums.push((place || first).map((value, k) => value + sums[sums.length - 1][k]));
  return places.map((_, frame) => {
    const from = Math.max(0, frame - window);
    const to = Math.min(frames, frame + window + 1);
    return sums[to].map((sum, k) => (sum - sums[from][k]) / (to - from));
  });
}
