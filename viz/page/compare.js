// The distance of joints from truth, and the colours that stand for it.

class Comparison {
  constructor(clip) {
    this.clip = clip;
    Object.assign(this, clip.compare);
  }

  // Metres from truth by person and joint, null where either has no such joint; with their mean and number.
  measure(frame, shown) {
    const { poses, truth } = this.clip;
    const away = Array.from({ length: poses.people }, () => new Array(poses.count).fill(null));
    let [sum, count] = [0, 0];
    for (const [person, other] of this.people) {
      if (!shown.person(person)) continue;
      for (const [joint, its] of this.joints) {
        if (!shown.joint(poses, joint)) continue;
        const [a, b] = [poses.joint(frame, person, joint), truth.joint(frame, other, its)];
        if (!a || !b) continue;
        away[person][joint] = Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
        sum += away[person][joint];
        count++;
      }
    }
    return { away, count, mean: count ? sum / count : null };
  }

  // '#rrggbb' of a distance; beyond the limit it is the last colour.
  colour(metres, mode) {
    const scale = this.scale[mode];
    const place = Math.min(1, metres / this.limit) * (scale.length - 1);
    const lower = Math.min(scale.length - 2, Math.floor(place));
    return blend(scale[lower], scale[lower + 1], place - lower);
  }
}

// Between two colours '#rrggbb': the first at 0, the other at 1.
function blend(from, to, part) {
  const channel = (colour, k) => parseInt(colour.slice(2 * k + 1, 2 * k + 3), 16);
  const mixed = [0, 1, 2].map((k) => Math.round(channel(from, k) + (channel(to, k) - channel(from, k)) * part));
  return '#' + mixed.map((value) => value.toString(16).padStart(2, '0')).join('');
}
