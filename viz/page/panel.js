// The 2D input: keypoints in the image, cut to where people are.

class Panel {
  constructor(canvas, clip) {
    this.canvas = canvas;
    this.pen = canvas.getContext('2d');
    this.clip = clip;
    const [left, top, right, bottom] = clip.keypoints.window;
    const margin = Math.max(right - left, bottom - top, 1) * 0.08;
    this.window = [left - margin, top - margin, right + margin, bottom + margin];
    this.body = this.measure();
  }

  // The usual size of a person in pixels, from a sample of the clip.
  measure() {
    const { keypoints, frames } = this.clip;
    const sizes = [];
    for (const frame of sampledFrames(frames, 60)) {
      for (let person = 0; person < keypoints.people; person++) {
        const places = keypoints.joints.map((_, joint) => keypoints.joint(frame, person, joint)).filter((place) => place);
        const spans = [0, 1].map((k) => Math.max(...places.map((p) => p[k])) - Math.min(...places.map((p) => p[k])));
        if (places.length > 1) sizes.push(Math.max(...spans));
      }
    }
    return sizes.sort((a, b) => a - b)[Math.floor(sizes.length / 2)] || 1;
  }

  resize() {
    const ratio = window.devicePixelRatio || 1;
    this.canvas.width = Math.max(1, Math.round(this.canvas.clientWidth * ratio));
    this.canvas.height = Math.max(1, Math.round(this.canvas.clientHeight * ratio));
  }

  // Image pixels to canvas pixels.
  place([x, y]) {
    const [left, top, right, bottom] = this.window;
    const { width, height } = this.canvas;
    this.scale = Math.min(width / (right - left), height / (bottom - top));
    return [width / 2 + (x - (left + right) / 2) * this.scale, height / 2 + (y - (top + bottom) / 2) * this.scale];
  }

  draw(frame, shown, theme) {
    const { pen, canvas, clip } = this;
    const { keypoints, people } = clip;
    pen.fillStyle = theme.ground;
    pen.fillRect(0, 0, canvas.width, canvas.height);
    const [left, top] = this.place([0, 0]);
    if (keypoints.size) {
      pen.fillStyle = theme.sky;
      pen.fillRect(left, top, keypoints.size[0] * this.scale, keypoints.size[1] * this.scale);
    }
    const radius = Math.max(1, this.body * this.scale * 0.011);
    pen.lineCap = 'round';
    for (let person = 0; person < keypoints.people; person++) {
      if (!shown.person(person)) continue;
      const colours = people[person].colours[theme.mode];
      const places = keypoints.joints.map((_, joint) => {
        const pixel = shown.joint(keypoints, joint) ? keypoints.joint(frame, person, joint) : null;
        return pixel && this.place(pixel);
      });
      pen.lineWidth = radius * 1.5;
      for (const [a, b, side] of keypoints.bones) {
        if (!places[a] || !places[b]) continue;
        pen.strokeStyle = colours[side];
        pen.beginPath();
        pen.moveTo(...places[a]);
        pen.lineTo(...places[b]);
        pen.stroke();
      }
      places.forEach((place, joint) => {
        if (!place) return;
        pen.fillStyle = mix(colours[keypoints.sides[joint]], -0.2);
        pen.beginPath();
        pen.arc(...place, keypoints.count > 40 ? radius * 0.7 : radius * 1.3, 0, 2 * Math.PI);
        pen.fill();
      });
    }
  }
}
