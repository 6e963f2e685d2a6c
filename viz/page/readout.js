// The words around the drawings: the angle plot's bar, and the legend of the error colours.

class AngleBar {
  constructor(clip, plot, changed) {
    const find = (id) => document.getElementById(id);
    this.plot = plot;
    [this.angle, this.person, this.hint, this.numbers] = ['angle', 'angle-person', 'angle-hint', 'angle-values'].map(find);
    for (const { name, title } of clip.angles.list) this.angle.add(new Option(title, name));
    clip.people.forEach((person, i) => this.person.add(new Option(person.name, i)));
    this.person.hidden = clip.people.length < 2;
    this.angle.value = plot.shown.name;
    const choose = () => {
      plot.choose(this.angle.value, Number(this.person.value));
      this.explain();
      changed();
    };
    for (const list of [this.angle, this.person]) list.addEventListener('change', choose);
    this.explain();
  }

  explain() {
    const { positive, zero } = this.plot.shown;
    this.hint.textContent = `+ ${positive} · 0° ${zero}`;
    const words = `Positive: ${positive}. Zero: ${zero}.`;
    for (const element of [this.hint, this.numbers, this.angle, this.plot.canvas]) element.title = words;
    this.numbers.replaceChildren();
    this.places = this.plot.values(0).map(({ side }) => {
      const place = document.createElement('span');
      const number = document.createElement('b');
      const dot = swatch(this.plot.clip.sideColours, side);
      place.append(dot, side === 'middle' ? '' : `${side} `, number);
      this.numbers.append(place);
      return number;
    });
  }

  show(frame) {
    const degrees = (value) => (Number.isNaN(value) ? '–' : `${value.toFixed(1).replace('-', '−')}°`);
    this.plot.values(frame).forEach(({ value, truth }, i) => {
      this.places[i].textContent = degrees(value) + (Number.isNaN(truth) ? '' : ` (truth ${degrees(truth)})`);
    });
    this.plot.canvas.setAttribute('aria-label', `${this.plot.shown.title}, ${this.numbers.textContent}`);
  }
}

// The angles that the clip does not show, with the reasons.
function listMissing(missing) {
  const find = (id) => document.getElementById(id);
  const button = find('missing-open');
  button.hidden = !missing.length;
  button.textContent = `${missing.length} missing`;
  for (const [title, reason] of missing) {
    const [term, words] = [document.createElement('dt'), document.createElement('dd')];
    term.textContent = title;
    words.textContent = reason;
    find('missing-list').append(term, words);
  }
  button.addEventListener('click', () => find('missing').showModal());
}

// `errors` is what Comparison.measure says, or null.
function showLegend(errors, comparison, theme) {
  const find = (id) => document.getElementById(id);
  find('legend').hidden = !errors;
  if (!errors) return;
  find('legend-bar').style.background = `linear-gradient(90deg, ${comparison.scale[theme.mode].join(',')})`;
  const limit = comparison.limit * 1000;
  find('legend-half').textContent = limit / 2;
  find('legend-limit').textContent = `≥ ${limit} mm`;
  const joints = `${errors.count} joint${errors.count === 1 ? '' : 's'}`;
  find('legend-mean').textContent = errors.count
    ? `mean of ${joints}: ${(errors.mean * 1000).toFixed(0)} mm`
    : 'no joint of both in this frame';
}
