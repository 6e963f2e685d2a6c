// What of a clip is shown, and the boxes to tick for it.

// Who hides the one hides the other.
const WITH_IT = { face: 'head', feet: 'legs', hands: 'arms' };

class Shown {
  constructor(clip) {
    this.people = clip.people.map(() => true);
    this.hidden = new Set(); // parts of the body and sides
    this.truth = Boolean(clip.truth);
    this.errors = false;
    this.errorBars = false;
    this.trails = false;
    this.pictures = true;
    this.plot = true;
  }

  // Also of nobody (-1): people of truth whom none of the clip's belongs to.
  person(index) {
    return index < 0 || this.people[index];
  }

  joint(bodies, joint) {
    if (!this.hidden.size) return true;
    const part = bodies.parts[joint];
    return !this.hidden.has(part) && !this.hidden.has(WITH_IT[part]) && !this.hidden.has(bodies.sides[joint]);
  }
}

class Controls {
  constructor(clip, shown, changed) {
    this.clip = clip;
    this.shown = shown;
    this.changed = changed;
    this.boxes = {};
    this.build();
  }

  build() {
    const { clip, shown } = this;
    const find = (id) => document.getElementById(id);
    clip.people.forEach((person, i) => {
      this.add('people', person.name, shown.people[i], (on) => (shown.people[i] = on), person.colours);
    });
    if (clip.truth) this.option('people', 'truth', 'truth', clip.truthColours);
    if (clip.compare) this.option('drawing', 'errors', 'Colours of the error');
    if (clip.poses && clip.poses.spread) this.option('drawing', 'errorBars', 'Error bars, 2 standard deviations');
    if (clip.poses) this.option('drawing', 'trails', 'Trails of hands and feet, 1 s');
    const pictures = clip.cameras ? clip.cameras.reduce((most, { images }) => Math.max(most, images.length), 0) : 0;
    if (pictures) {
      const count = pictures === 1 ? 'one' : pictures;
      this.option('drawing', 'pictures', `Pictures: ${count} a camera, the nearest in time`);
    }
    if (clip.angles && clip.angles.list.length) this.option('drawing', 'plot', 'Angle plot');
    find('drawing').hidden = !Object.keys(this.boxes).some((name) => name !== 'truth');
    const bodies = clip.poses || clip.keypoints;
    const parts = [...new Set(bodies.parts), ...['left', 'right'].filter((side) => bodies.sides.includes(side))];
    for (const part of parts) {
      this.add('parts', part, true, (on) => (on ? shown.hidden.delete(part) : shown.hidden.add(part)));
    }
    find('parts-box').hidden = parts.length < 2;
    this.addSides();
  }

  option(group, name, words, colours = null) {
    this.boxes[name] = this.add(group, words, this.shown[name], (on) => (this.shown[name] = on), colours);
  }

  add(group, words, checked, change, colours = null) {
    const label = document.createElement('label');
    const box = Object.assign(document.createElement('input'), { type: 'checkbox', checked });
    box.addEventListener('change', () => {
      change(box.checked);
      this.changed();
    });
    label.append(box, ...(colours ? [swatch(colours, 'middle')] : []), words);
    document.getElementById(group).append(label);
    return box;
  }

  // Ticks or clears an option, if the clip has it.
  flip(name) {
    if (this.boxes[name]) this.boxes[name].click();
  }

  addSides() {
    const { people } = this.clip;
    const alone = people.length === 1;
    for (const side of alone ? ['left', 'right', 'middle'] : ['left', 'right']) {
      const word = document.createElement('span');
      if (alone) word.append(swatch(people[0].colours, side), side);
      else word.append(side === 'left' ? 'left side: paler' : 'right side: darker');
      document.getElementById('sides').append(word);
    }
  }
}

// A dot of a colour; the player paints it in the theme's.
function swatch(colours, side) {
  const dot = document.createElement('span');
  dot.className = 'swatch';
  dot.colours = { light: colours.light[side], dark: colours.dark[side] };
  return dot;
}
