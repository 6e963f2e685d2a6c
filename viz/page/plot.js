// The angle plot: one angle of one person over time, its left and right side, with a cursor at the current frame.

const TICKS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200];
const FIRST_SECONDS = 60;

class Plot {
  constructor(canvas, clip) {
    this.canvas = canvas;
    this.pen = canvas.getContext('2d');
    this.clip = clip;
    this.angles = clip.angles;
    this.person = 0;
    this.shown = this.angles.list.find(({ name }) => name === 'knee_flexion') || this.angles.list[0];
    this.from = 0;
    // A long clip starts with its first minute; the wheel and a double click show more.
    this.to = Math.min(clip.frames - 1, Math.ceil(FIRST_SECONDS * (clip.fps || 30 / clip.step)));
    this.measure();
  }

  choose(name, person) {
    this.shown = this.angles.list.find((angle) => angle.name === name) || this.shown;
    this.person = person;
    this.measure();
  }

  // The range of the angle over the whole clip, so that the axis stands still.
  measure() {
    const { angles, clip, person } = this;
    let [low, high] = [Infinity, -Infinity];
    for (const column of Object.values(this.shown.columns)) {
      for (let frame = 0; frame < clip.frames; frame++) {
        for (const ofTruth of angles.theirs ? [false, true] : [false]) {
          const value = angles.value(frame, person, column, ofTruth);
          if (value < low) low = value;
          if (value > high) high = value;
        }
      }
    }
    this.empty = low > high;
    if (this.empty) [low, high] = [0, 90];
    const middle = (low + high) / 2;
    const half = Math.max(5, (high - low) * 0.56);
    [this.low, this.high] = [middle - half, middle + half];
  }

  resize() {
    const ratio = window.devicePixelRatio || 1;
    this.canvas.width = Math.max(1, Math.round(this.canvas.clientWidth * ratio));
    this.canvas.height = Math.max(1, Math.round(this.canvas.clientHeight * ratio));
    this.box = { left: 46 * ratio, top: 8 * ratio, right: this.canvas.width - 14 * ratio, bottom: this.canvas.height - 22 * ratio };
  }

  x(frame) {
    return this.box.left + ((frame - this.from) / Math.max(1, this.to - this.from)) * (this.box.right - this.box.left);
  }

  y(value) {
    return this.box.bottom - ((value - this.low) / (this.high - this.low)) * (this.box.bottom - this.box.top);
  }

  // The frame at a place of the canvas, in CSS pixels from its left edge.
  frameAt(x) {
    const part = (x * (window.devicePixelRatio || 1) - this.box.left) / (this.box.right - this.box.left);
    return Math.max(0, Math.min(this.clip.frames - 1, Math.round(this.from + part * (this.to - this.from))));
  }

  // Shows less of the time (factor < 1) or more, about a place of the canvas.
  zoom(factor, x) {
    const last = this.clip.frames - 1;
    const span = Math.min(last, Math.max(Math.min(20, last), (this.to - this.from) * factor));
    const at = this.frameAt(x);
    const part = (at - this.from) / Math.max(1, this.to - this.from);
    this.from = Math.min(last - span, Math.max(0, at - part * span));
    this.to = this.from + span;
  }

  // Moves the window so that a frame is in it.
  follow(frame) {
    if (frame >= this.from && frame <= this.to) return;
    const span = this.to - this.from;
    this.from = Math.max(0, Math.min(this.clip.frames - 1 - span, frame - span * (frame > this.to ? 0.1 : 0.9)));
    this.to = this.from + span;
  }

  // The values at a frame, by side.
  values(frame) {
    const sides = Object.entries(this.shown.columns);
    return sides.map(([side, column]) => ({
      side,
      value: this.angles.value(frame, this.person, column),
      truth: this.angles.theirs ? this.angles.value(frame, this.person, column, true) : NaN,
    }));
  }

  draw(frame, theme) {
    const { pen, canvas, clip } = this;
    this.follow(frame);
    pen.clearRect(0, 0, canvas.width, canvas.height);
    this.drawAxes(theme);
    const colours = clip.sideColours[theme.mode];
    const sides = Object.entries(this.shown.columns);
    pen.lineJoin = 'round';
    for (const [side, column] of this.angles.theirs ? sides : []) {
      pen.setLineDash(side === 'right' ? [4 * theme.ratio, 3 * theme.ratio] : []);
      this.drawLine(column, true, clip.truthColours[theme.mode].middle, theme.ratio);
    }
    pen.setLineDash([]);
    for (const [side, column] of sides) this.drawLine(column, false, colours[side], 1.8 * theme.ratio);
    const x = this.x(frame);
    pen.strokeStyle = theme.ink;
    pen.lineWidth = 1.2 * theme.ratio;
    pen.beginPath();
    pen.moveTo(x, this.box.top);
    pen.lineTo(x, this.box.bottom);
    pen.stroke();
    for (const { side, value } of this.values(frame)) {
      if (Number.isNaN(value)) continue;
      pen.fillStyle = colours[side];
      pen.strokeStyle = theme.card;
      pen.lineWidth = 2 * theme.ratio;
      pen.beginPath();
      pen.arc(x, this.y(value), 4.5 * theme.ratio, 0, 2 * Math.PI);
      pen.fill();
      pen.stroke();
    }
    if (this.empty) {
      pen.fillStyle = theme.faint;
      pen.textAlign = 'center';
      pen.fillText('no value in this clip for this person', canvas.width / 2, canvas.height / 2);
    }
  }

  drawAxes(theme) {
    const { pen, box, clip } = this;
    const size = 12 * theme.ratio;
    pen.font = `${size}px ${theme.font}`;
    pen.lineWidth = theme.ratio;
    pen.fillStyle = theme.faint;
    const tall = (this.high - this.low) / Math.max(1, (box.bottom - box.top) / (26 * theme.ratio));
    const step = [1, 2, 5, 10, 15, 30, 45, 90, 180].find((value) => value >= tall) || 180;
    pen.textAlign = 'right';
    pen.textBaseline = 'middle';
    for (let value = Math.ceil(this.low / step) * step; value <= this.high; value += step) {
      const y = Math.round(this.y(value)) + 0.5;
      pen.strokeStyle = value === 0 ? theme.faint : theme.line;
      pen.beginPath();
      pen.moveTo(box.left, y);
      pen.lineTo(box.right, y);
      pen.stroke();
      pen.fillText(`${String(value).replace('-', '−')}°`, box.left - 6 * theme.ratio, y);
    }
    // Seconds; frames where the rate is unknown.
    const rate = clip.fps || 1 / clip.step;
    const wide = ((this.to - this.from) / rate) / Math.max(1, (box.right - box.left) / (90 * theme.ratio));
    const every = TICKS.find((value) => value >= Math.max(wide, clip.fps ? 0 : 1)) || Math.ceil(wide);
    pen.textBaseline = 'top';
    pen.textAlign = 'center';
    for (let i = Math.ceil(this.from / rate / every); i * every * rate <= this.to; i++) {
      const x = Math.round(this.x(i * every * rate)) + 0.5;
      pen.strokeStyle = theme.line;
      pen.beginPath();
      pen.moveTo(x, box.top);
      pen.lineTo(x, box.bottom + 3 * theme.ratio);
      pen.stroke();
      const words = Number((i * every).toFixed(2));
      if (x < box.right - 12 * theme.ratio) pen.fillText(clip.fps ? `${words} s` : words, x, box.bottom + 6 * theme.ratio);
    }
  }

  // A line with gaps; of many frames in one column of pixels the least and the largest are drawn.
  drawLine(column, ofTruth, colour, width) {
    const { pen, angles, person } = this;
    const first = Math.max(0, Math.floor(this.from));
    const last = Math.min(this.clip.frames - 1, Math.ceil(this.to));
    const every = Math.max(1, Math.floor((last - first) / Math.max(1, this.box.right - this.box.left)));
    pen.save();
    pen.beginPath();
    pen.rect(this.box.left, 0, this.box.right - this.box.left, this.canvas.height);
    pen.clip();
    pen.strokeStyle = pen.fillStyle = colour;
    pen.lineWidth = width;
    // Bands of many frames a pixel let each other be seen.
    pen.globalAlpha = every > 4 ? 0.6 : 1;
    pen.beginPath();
    let open = false;
    for (let frame = first; frame <= last; frame += every) {
      let [low, high, count] = [Infinity, -Infinity, 0];
      for (let at = frame; at < Math.min(frame + every, last + 1); at++) {
        const value = angles.value(at, person, column, ofTruth);
        if (Number.isNaN(value)) continue;
        low = Math.min(low, value);
        high = Math.max(high, value);
        count++;
      }
      if (!count) {
        open = false;
        continue;
      }
      const x = this.x(frame);
      if (open) pen.lineTo(x, this.y(low));
      else pen.moveTo(x, this.y(low));
      // A value alone between gaps is a dot.
      if (high > low || !open) pen.lineTo(x + (high > low ? 0 : 0.01), this.y(high));
      open = true;
    }
    pen.lineCap = 'round';
    pen.stroke();
    pen.restore();
  }
}
