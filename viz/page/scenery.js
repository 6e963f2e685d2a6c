// What stands around the people: the floor, paths and shadows on it, and the cameras with their pictures.

const GRID_STEPS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50];
// A picture in space is drawn as so many pieces a side, each without perspective.
const PIECES = 4;
// A camera is drawn from this part of the distance to the people on.
const NEAREST = 0.4;

class Scenery {
  constructor(pen, clip) {
    this.pen = pen;
    this.clip = clip;
    this.labels = [];
  }

  // Squares of a round size that fade with the distance. Returns their size in metres, null without a floor.
  drawFloor(eye, target, distance, theme) {
    const { floor } = this.clip;
    if (floor === null) return null;
    const { pen } = this;
    const step = GRID_STEPS.find((size) => size > distance * 0.09) || 50;
    const cells = 14;
    const middle = [0, 1].map((k) => Math.round(target[k] / step) * step);
    const levels = Array.from({ length: 6 }, () => new Path2D());
    for (let i = -cells; i <= cells; i++) {
      for (let j = -cells; j < cells; j++) {
        const fade = 1 - Math.hypot(i, j + 0.5) / cells;
        if (fade <= 0) continue;
        const level = levels[Math.min(5, Math.floor(fade * 6))];
        for (const [a, b] of [[[i, j], [i, j + 1]], [[j, i], [j + 1, i]]]) {
          const ends = [a, b].map(([x, y]) => [middle[0] + x * step, middle[1] + y * step, floor]);
          const line = eye.line(...ends);
          if (!line) continue;
          level.moveTo(...line[0]);
          level.lineTo(...line[1]);
        }
      }
    }
    pen.strokeStyle = theme.grid;
    pen.lineWidth = Math.max(1, theme.ratio * 0.9);
    levels.forEach((path, level) => {
      pen.globalAlpha = (level + 1) / 7;
      pen.stroke(path);
    });
    pen.globalAlpha = 1;
    return step;
  }

  // Lines between neighbours among places; `alphas` are by place, missing places part the line.
  drawPath(eye, places, colour, width, alphas = null) {
    const { pen } = this;
    pen.strokeStyle = colour;
    pen.lineWidth = width;
    pen.globalAlpha = 0.35;
    pen.beginPath();
    places.forEach((place, i) => {
      const line = i && place && places[i - 1] && eye.line(places[i - 1], place);
      if (!line) return;
      if (alphas) {
        pen.globalAlpha = alphas[i];
        pen.beginPath();
      }
      pen.moveTo(...line[0]);
      pen.lineTo(...line[1]);
      if (alphas) pen.stroke();
    });
    if (!alphas) pen.stroke();
    pen.globalAlpha = 1;
  }

  // One path a person, so that the shadows of its bones do not add up.
  drawShadow(eye, frame, person, shown, theme) {
    const { pen, clip } = this;
    const { poses, floor } = clip;
    let scale = 0;
    pen.beginPath();
    for (const [a, b] of poses.bones) {
      if (!shown.joint(poses, a) || !shown.joint(poses, b)) continue;
      const ends = [a, b].map((joint) => poses.joint(frame, person, joint));
      if (!ends[0] || !ends[1]) continue;
      const [p, q] = ends.map((place) => eye.project([place[0], place[1], floor]));
      if (!p || !q) continue;
      pen.moveTo(p.x, p.y);
      pen.lineTo(q.x, q.y);
      scale = Math.max(scale, p.scale);
    }
    pen.strokeStyle = theme.dark ? 'rgba(0,0,0,.45)' : 'rgba(30,40,60,.16)';
    pen.lineWidth = Math.max(1, scale * clip.thickness * 1.6);
    pen.stroke();
  }

  // The cameras as pyramids, with the picture nearest in time in each and the name above; the farthest first.
  drawCameras(eye, frame, distance, theme, withPictures) {
    const { pen } = this;
    this.labels = [];
    const far = new Map(this.clip.cameras.map((camera) => [camera, eye.local(camera.place)[2]]));
    // One that stands right before the viewer is left out.
    const seen = this.clip.cameras.filter((camera) => camera !== eye && far.get(camera) > NEAREST * distance);
    for (const camera of seen.sort((a, b) => far.get(b) - far.get(a))) {
      const picture = withPictures ? camera.picture(frame) : null;
      if (picture) this.drawPicture(eye, camera, picture.image);
      const corners = [[0, 0], [1, 0], [1, 1], [0, 1]].map(([x, y]) => camera.at(x, y, camera.depth));
      pen.strokeStyle = theme.faint;
      pen.lineWidth = 1.5 * theme.ratio;
      pen.beginPath();
      const notch = camera.at(0.5, -0.14, camera.depth);
      const edges = corners.flatMap((corner, i) => [[camera.place, corner], [corner, corners[(i + 1) % 4]]]);
      edges.push([camera.at(0.35, 0, camera.depth), notch], [notch, camera.at(0.65, 0, camera.depth)]);
      for (const [a, b] of edges) {
        const line = eye.line(a, b);
        if (!line) continue;
        pen.moveTo(...line[0]);
        pen.lineTo(...line[1]);
      }
      pen.stroke();
      this.label(eye, camera, corners, theme);
    }
  }

  label(eye, camera, corners, theme) {
    const { pen } = this;
    const points = corners.map((corner) => eye.project(corner)).filter((point) => point);
    if (points.length < 4) return;
    const x = points.reduce((sum, point) => sum + point.x, 0) / 4;
    const size = 13 * theme.ratio;
    const y = Math.min(...points.map((point) => point.y)) - 0.9 * size;
    pen.font = `600 ${size}px ${theme.font}`;
    pen.textAlign = 'center';
    pen.textBaseline = 'middle';
    pen.lineWidth = 4 * theme.ratio;
    pen.strokeStyle = theme.sky;
    pen.strokeText(camera.name, x, y);
    pen.fillStyle = theme.ink;
    pen.fillText(camera.name, x, y);
    const half = pen.measureText(camera.name).width / 2 + 6 * theme.ratio;
    this.labels.push({ camera, left: x - half, right: x + half, top: y - size, bottom: y + size });
  }

  // The camera whose name is at a place of the canvas, if any.
  cameraAt(x, y) {
    const hit = this.labels.find((box) => x > box.left && x < box.right && y > box.top && y < box.bottom);
    return hit && hit.camera;
  }

  drawPicture(eye, camera, image) {
    const { pen } = this;
    const places = [];
    for (let i = 0; i <= PIECES; i++) {
      for (let j = 0; j <= PIECES; j++) places.push(eye.project(camera.at(j / PIECES, i / PIECES, camera.depth)));
    }
    const [w, h] = [image.naturalWidth / PIECES, image.naturalHeight / PIECES];
    for (let i = 0; i < PIECES; i++) {
      for (let j = 0; j < PIECES; j++) {
        const at = i * (PIECES + 1) + j;
        const [p, q, r, s] = [places[at], places[at + 1], places[at + PIECES + 1], places[at + PIECES + 2]];
        if (!p || !q || !r || !s) continue;
        this.drawTriangle(image, [j * w, i * h], [w, h], p, q, r, [p, q, r]);
        // The other half has its right angle at s: p is replaced by the fourth corner of its parallelogram.
        const opposite = { x: q.x + r.x - s.x, y: q.y + r.y - s.y };
        this.drawTriangle(image, [j * w, i * h], [w, h], opposite, q, r, [q, s, r]);
      }
    }
  }

  // The part of an image from `from`, `size` large, so that its upper left corner is at p, the next at q and r.
  drawTriangle(image, from, size, p, q, r, outline) {
    const { pen } = this;
    pen.save();
    pen.beginPath();
    // Grown by half a pixel, so that no seams are seen.
    const middle = [0, 1].map((k) => outline.reduce((sum, o) => sum + (k ? o.y : o.x), 0) / 3);
    for (const { x, y } of outline) {
      const far = Math.hypot(x - middle[0], y - middle[1]) || 1;
      pen.lineTo(x + ((x - middle[0]) / far) * 0.8, y + ((y - middle[1]) / far) * 0.8);
    }
    pen.closePath();
    pen.clip();
    pen.transform(
      (q.x - p.x) / size[0], (q.y - p.y) / size[0], (r.x - p.x) / size[1], (r.y - p.y) / size[1], p.x, p.y,
    );
    pen.drawImage(image, -from[0], -from[1]); // all of it: cut to the piece, its edges would shine through
    pen.restore();
  }
}
