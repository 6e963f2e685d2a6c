// The 3D drawing: where one looks from, and what is drawn of a frame.

const TRAIL_SECONDS = 1;
const TRAIL_PIECES = 40;
const TRAILING = ['left_wrist', 'right_wrist', 'left_ankle', 'right_ankle'];

class Stage {
  constructor(canvas, clip) {
    this.canvas = canvas;
    this.pen = canvas.getContext('2d');
    this.clip = clip;
    this.orbit = new OrbitCamera();
    this.eye = this.orbit;
    this.scenery = new Scenery(this.pen, clip);
    this.painter = new Painter(this.pen);
    this.comparison = clip.compare ? new Comparison(clip) : null;
    this.follow = -1;
    this.pan = [0, 0, 0];
    this.measure();
    this.look('front');
  }

  // The size of the bodies and the place of the whole scene, from a sample of the clip.
  measure() {
    const { poses, frames, fps, cameras } = this.clip;
    const reach = [];
    const low = [Infinity, Infinity, Infinity];
    const high = [-Infinity, -Infinity, -Infinity];
    const widen = (place) => {
      for (let k = 0; k < 3; k++) {
        low[k] = Math.min(low[k], place[k]);
        high[k] = Math.max(high[k], place[k]);
      }
    };
    const middleOf = () => low.map((value, k) => (value + high[k]) / 2);
    this.paths = Array.from({ length: poses.people }, () => []);
    const sample = (numbers) => {
      for (const frame of numbers) {
        for (let person = 0; person < poses.people; person++) {
          const middle = poses.middle(frame, person);
          this.paths[person].push(middle);
          if (!middle) continue;
          let far = 0;
          for (let joint = 0; joint < poses.count; joint++) {
            const place = poses.joint(frame, person, joint);
            if (place) far = Math.max(far, Math.hypot(...place.map((value, k) => value - middle[k])));
          }
          if (far > 0) reach.push(far);
          widen(middle);
        }
      }
    };
    sample(sampledFrames(frames, Math.max(40, 1200 / poses.people)));
    if (!reach.length) sample(sampledFrames(frames, frames));
    reach.sort((a, b) => a - b);
    this.body = reach[Math.floor(reach.length * 0.95)] || 1;
    this.centre = low[0] <= high[0] ? middleOf() : [0, 0, 0];
    this.travel = Math.hypot(high[0] - low[0], high[1] - low[1]) || 0;
    this.radius = this.body * 0.95 + this.travel * 0.35;
    const window = Math.max(1, Math.round((fps || 30) / 4));
    this.smooth = this.paths.map((_, person) => smoothPath(poses, person, frames, window));
    for (const camera of cameras) widen(camera.place);
    this.wideCentre = middleOf();
    const from = (place) => Math.hypot(...place.map((value, k) => value - this.wideCentre[k]));
    this.wideRadius = Math.max(this.radius, ...cameras.map((camera) => from(camera.place) + camera.depth));
    this.trailing = TRAILING.map((joint) => poses.joints.indexOf(joint)).filter((joint) => joint >= 0);
  }

  look(name) {
    const { orbit, clip } = this;
    this.eye = orbit;
    this.pan = [0, 0, 0];
    this.named = name;
    orbit.view = 0.7;
    orbit.tilt = { front: 0.12, side: 0.12, top: Math.PI / 2, overview: 0.5 }[name];
    orbit.turn = clip.front - (name === 'side' ? Math.PI / 2 : name === 'overview' ? 0.4 : 0);
    if (name === 'overview') {
      this.follow = -1;
      this.pan = this.wideCentre.map((value, k) => value - this.centre[k]);
    }
    this.fit();
  }

  lookThrough(camera) {
    this.eye = camera;
    this.named = camera.name;
    this.follow = -1;
  }

  // From a camera's own view back to the free one, from the same place.
  release() {
    if (this.eye === this.orbit) return;
    const { orbit, eye, centre } = this;
    orbit.view = 2 * Math.atan(this.canvas.height / 2 / eye.focal);
    orbit.turn = Math.atan2(eye.into[0], eye.into[1]);
    orbit.tilt = Math.asin(Math.max(-1, Math.min(1, -eye.into[2])));
    orbit.distance = Math.max(0.3, eye.local(centre)[2]);
    this.pan = eye.place.map((value, k) => value + eye.into[k] * orbit.distance - centre[k]);
    this.eye = orbit;
  }

  fit() {
    const { orbit, canvas } = this;
    const radius = this.named === 'overview' ? this.wideRadius * 0.85 : this.follow >= 0 ? this.body : this.radius;
    const narrow = Math.min(1, canvas.width / Math.max(1, canvas.height));
    orbit.distance = radius / Math.sin(Math.atan(Math.tan(orbit.view / 2) * narrow));
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
    if (first && this.eye === this.orbit) this.fit();
  }

  aim(frame) {
    const middle = this.follow >= 0 ? this.smooth[this.follow][frame] : this.centre;
    this.orbit.target = middle.map((value, k) => value + this.pan[k]);
    this.eye.aim(this.canvas.width, this.canvas.height);
  }

  // Draws a frame. Returns the size of a square of the floor, the distances from truth if they are coloured, and the
  // picture behind it all.
  draw(frame, shown, theme) {
    const { pen, clip, eye, scenery, painter } = this;
    const { poses, truth, people, floor } = clip;
    this.aim(frame);
    const picture = this.drawBack(frame, shown, theme);
    pen.lineCap = pen.lineJoin = 'round';
    const [target, distance] =
      eye === this.orbit ? [eye.target, eye.distance] : [this.centre, Math.max(0.5, eye.local(this.centre)[2])];
    const square = scenery.drawFloor(eye, target, distance, theme);
    scenery.drawCameras(eye, frame * clip.step, distance, theme, shown.pictures && eye === this.orbit);
    const errors = this.comparison && shown.errors && shown.truth ? this.comparison.measure(frame, shown) : null;
    if (truth && shown.truth) {
      const grey = clip.truthColours[theme.mode].middle;
      for (let person = 0; person < truth.people; person++) {
        if (!shown.person(this.partner(person))) continue;
        painter.collect(eye, truth, frame, person, shown, clip.thickness * 0.55, () => grey);
      }
    }
    const slim = shown.errorBars ? 0.45 : 1;
    for (let person = 0; person < poses.people; person++) {
      if (!shown.person(person)) continue;
      const colours = people[person].colours[theme.mode];
      if (floor !== null) {
        const onFloor = (place) => place && [place[0], place[1], floor];
        scenery.drawPath(eye, this.paths[person].map(onFloor), colours.middle, 1.5 * theme.ratio);
        scenery.drawShadow(eye, frame, person, shown, theme);
      }
      if (shown.trails) this.drawTrails(frame, person, shown, colours, theme);
      const colour = errors ? this.errorColour(errors.away[person], theme) : (side) => colours[side];
      painter.collect(eye, poses, frame, person, shown, clip.thickness * slim, colour);
    }
    painter.paint(theme);
    if (errors) this.drawTies(frame, errors, theme);
    for (let person = 0; shown.errorBars && person < poses.people; person++) {
      const colours = people[person].colours[theme.mode];
      if (shown.person(person)) painter.drawErrorBars(eye, poses, frame, person, shown, colours, theme);
    }
    return { square, errors, picture };
  }

  // The person whom one of truth belongs to, -1 for nobody.
  partner(other) {
    const pair = this.comparison && this.comparison.people.find(([, its]) => its === other);
    return pair ? pair[0] : -1;
  }

  drawBack(frame, shown, theme) {
    const { pen, canvas, eye } = this;
    const sky = pen.createLinearGradient(0, 0, 0, canvas.height);
    sky.addColorStop(0, theme.sky);
    sky.addColorStop(1, theme.ground);
    pen.fillStyle = sky;
    pen.fillRect(0, 0, canvas.width, canvas.height);
    if (eye === this.orbit) return null;
    const box = [eye.left, eye.top, eye.size[0] * eye.fit, eye.size[1] * eye.fit];
    const picture = shown.pictures ? eye.picture(frame * this.clip.step) : null;
    if (picture) {
      pen.globalAlpha = 0.8;
      pen.drawImage(picture.image, ...box);
      pen.globalAlpha = 1;
    }
    pen.strokeStyle = theme.grid;
    pen.lineWidth = theme.ratio;
    pen.strokeRect(...box);
    return picture;
  }

  // Where the hands and feet were in the last second.
  drawTrails(frame, person, shown, colours, theme) {
    const { poses, fps } = this.clip;
    const past = Math.max(1, Math.round((fps || 30) * TRAIL_SECONDS));
    const every = Math.max(1, Math.ceil(past / TRAIL_PIECES));
    const frames = [];
    for (let at = frame; at >= Math.max(0, frame - past); at -= every) frames.unshift(at);
    const alphas = frames.map((at) => 0.85 * (1 - (frame - at) / (past + 1)));
    const draw = (places, colour) =>
      this.scenery.drawPath(this.eye, places, colour, 2.5 * theme.ratio, alphas);
    for (const joint of this.trailing) {
      if (!shown.joint(poses, joint)) continue;
      draw(frames.map((at) => poses.joint(at, person, joint)), colours[poses.sides[joint]]);
    }
    if (!this.trailing.length) draw(frames.map((at) => poses.middle(at, person)), colours.middle);
  }

  errorColour(away, theme) {
    return (_, a, b) => {
      if (away[a] === null || away[b] === null) return theme.unknown;
      return this.comparison.colour((away[a] + away[b]) / 2, theme.mode);
    };
  }

  // From each joint to where it truly is.
  drawTies(frame, errors, theme) {
    const { pen, clip, eye, comparison } = this;
    pen.lineWidth = 1.5 * theme.ratio;
    for (const [person, other] of comparison.people) {
      for (const [joint, its] of comparison.joints) {
        const away = errors.away[person][joint];
        const line =
          away !== null && eye.line(clip.poses.joint(frame, person, joint), clip.truth.joint(frame, other, its));
        if (!line) continue;
        pen.strokeStyle = comparison.colour(away, theme.mode);
        pen.beginPath();
        pen.moveTo(...line[0]);
        pen.lineTo(...line[1]);
        pen.stroke();
      }
    }
  }
}
