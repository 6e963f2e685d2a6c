// The player: time, controls, mouse, touch and keys.

(() => {
  const find = (id) => document.getElementById(id);
  const clip = JSON.parse(find('clip').textContent);
  if (clip.poses) clip.poses = new Bodies(clip.poses);
  if (clip.truth) clip.truth = new Bodies(clip.truth);
  if (clip.keypoints) clip.keypoints = new Flat(clip.keypoints);
  const stage = clip.poses ? new Stage(find('stage'), clip) : null;
  const panel = clip.keypoints ? new Panel(find('panel'), clip) : null;
  const rate = clip.fps || 30 / clip.step;
  const shown = clip.people.map(() => true);
  const [play, scrub, speed, loop, follow] = ['play', 'scrub', 'speed', 'loop', 'follow'].map(find);
  let time = 0; // in frames of the page
  let playing = false;
  let before = null;
  let waiting = false;
  let showTruth = true;
  let theme;

  const frameNow = () => Math.min(clip.frames - 1, Math.max(0, Math.floor(time + 1e-6)));

  function readTheme() {
    const style = getComputedStyle(document.documentElement);
    theme = { dark: matchMedia('(prefers-color-scheme: dark)').matches };
    for (const name of ['sky', 'ground', 'grid', 'faint']) theme[name] = style.getPropertyValue(`--${name}`).trim();
    for (const swatch of document.querySelectorAll('.swatch')) {
      swatch.style.background = swatch.colours[theme.dark ? 'dark' : 'light'];
    }
  }

  function draw() {
    const frame = frameNow();
    if (stage) {
      stage.resize();
      const step = stage.draw(frame, shown, showTruth, theme);
      find('grid-label').textContent = step === null ? '' : `one square is ${step} m`;
    }
    if (panel) panel.draw(frame, shown, theme);
    scrub.value = frame;
    const [original, last] = [frame * clip.step, (clip.frames - 1) * clip.step];
    const words = `frame ${original} / ${last}`;
    const seconds = (at) => (at / rate).toFixed(2);
    find('time').textContent = clip.fps ? `${seconds(frame)} / ${seconds(clip.frames - 1)} s · ${words}` : words;
    scrub.setAttribute('aria-valuetext', words);
  }

  function refresh() {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame((now) => {
      waiting = false;
      if (playing) advance(now);
      draw();
      if (playing) refresh();
    });
  }

  function advance(now) {
    if (before !== null) time += (Math.min(now - before, 250) / 1000) * rate * Number(speed.value);
    before = now;
    if (time < clip.frames) return;
    if (loop.checked) {
      time %= clip.frames;
    } else {
      time = clip.frames - 1;
      setPlaying(false);
    }
  }

  function setPlaying(on) {
    playing = on && clip.frames > 1;
    before = null;
    if (playing && !loop.checked && frameNow() === clip.frames - 1) time = 0;
    play.textContent = playing ? '❚❚' : '▶';
    play.setAttribute('aria-label', playing ? 'Pause' : 'Play');
    refresh();
  }

  function seek(frame) {
    setPlaying(false);
    time = Math.min(clip.frames - 1, Math.max(0, Math.round(frame)));
    refresh();
  }

  function look(name) {
    if (!stage || (name === 'camera' && !clip.camera)) return;
    stage.look(name);
    follow.value = stage.follow;
    refresh();
  }

  function setFollow(person) {
    stage.follow = person;
    stage.pan = [0, 0, 0];
    follow.value = person;
    stage.fit();
    refresh();
  }

  function swatch(colours, side) {
    const dot = document.createElement('span');
    dot.className = 'swatch';
    dot.colours = { light: colours.light[side], dark: colours.dark[side] };
    return dot;
  }

  function toggle(name, colours, change) {
    const label = document.createElement('label');
    const box = Object.assign(document.createElement('input'), { type: 'checkbox', checked: true });
    box.addEventListener('change', () => {
      change(box.checked);
      refresh();
    });
    label.append(box, swatch(colours, 'middle'), name);
    find('people').append(label);
  }

  function build() {
    find('name').textContent = clip.name;
    find('line').textContent = clip.line + (clip.fps ? '' : ' · frame rate unknown, played at 30 fps');
    find('note').textContent = clip.note || '';
    find('note').hidden = !clip.note;
    find('panel-box').hidden = !panel;
    document.body.classList.toggle('flat', !stage);
    scrub.max = clip.frames - 1;
    clip.people.forEach((person, i) => toggle(person.name, person.colours, (on) => (shown[i] = on)));
    if (clip.truth) toggle('truth', clip.truthColours, (on) => (showTruth = on));
    follow.add(new Option('nobody', -1));
    clip.people.forEach((person, i) => follow.add(new Option(person.name, i)));
    const alone = clip.people.length === 1;
    for (const side of ['left', 'right', 'middle']) {
      if (!alone && side === 'middle') continue;
      const word = document.createElement('span');
      if (alone) word.append(swatch(clip.people[0].colours, side), side);
      else word.append(side === 'left' ? 'left side: paler' : 'right side: darker');
      find('sides').append(word);
    }
    find('view-camera').disabled = !clip.camera;
    if (stage && alone && stage.travel > 2 * stage.body) stage.follow = 0;
    follow.value = stage ? stage.follow : -1;
  }

  function listen() {
    play.addEventListener('click', () => setPlaying(!playing));
    find('back').addEventListener('click', () => seek(frameNow() - 1));
    find('forward').addEventListener('click', () => seek(frameNow() + 1));
    scrub.addEventListener('input', () => seek(Number(scrub.value)));
    follow.addEventListener('change', () => setFollow(Number(follow.value)));
    for (const name of ['front', 'side', 'top', 'camera']) find(`view-${name}`).addEventListener('click', () => look(name));
    find('help-open').addEventListener('click', () => find('help').showModal());
    document.addEventListener('keydown', onKey);
    const themes = matchMedia('(prefers-color-scheme: dark)');
    themes.addEventListener('change', () => {
      readTheme();
      refresh();
    });
    new ResizeObserver(() => {
      if (panel) panel.resize();
      refresh();
    }).observe(document.querySelector('main'));
    if (stage) listenToPointers(find('stage'));
  }

  function onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || find('help').open) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    // A focused control keeps the keys that it understands itself.
    const kind = event.target.tagName;
    const own = { INPUT: [' ', 'ArrowLeft', 'ArrowRight', 'Home', 'End'], BUTTON: [' '], SELECT: [' ', 'Home', 'End'] }[kind];
    if ((own && own.includes(key)) || (kind === 'SELECT' && key.length === 1)) return;
    const second = Math.max(1, Math.round(rate));
    const faster = (by) => {
      speed.selectedIndex = Math.min(speed.length - 1, Math.max(0, speed.selectedIndex + by));
    };
    const turn = (dx, dy) => stage && stage.camera.orbit(dx, dy);
    const actions = {
      ' ': () => setPlaying(!playing),
      ArrowLeft: () => seek(frameNow() - (event.shiftKey ? second : 1)),
      ArrowRight: () => seek(frameNow() + (event.shiftKey ? second : 1)),
      Home: () => seek(0),
      End: () => seek(clip.frames - 1),
      '[': () => faster(-1),
      ']': () => faster(1),
      l: () => (loop.checked = !loop.checked),
      f: () => stage && setFollow(((stage.follow + 2) % (clip.people.length + 1)) - 1),
      a: () => turn(-0.1, 0),
      d: () => turn(0.1, 0),
      w: () => turn(0, 0.1),
      s: () => turn(0, -0.1),
      '+': () => stage && stage.camera.zoom(0.9),
      '=': () => stage && stage.camera.zoom(0.9),
      '-': () => stage && stage.camera.zoom(1 / 0.9),
      1: () => look('front'),
      2: () => look('side'),
      3: () => look('top'),
      4: () => look('camera'),
      '?': () => find('help').showModal(),
    };
    if (!actions[key]) return;
    event.preventDefault();
    actions[key]();
    refresh();
  }

  function listenToPointers(canvas) {
    const pointers = new Map();
    const ratio = () => window.devicePixelRatio || 1;
    const move = (dx, dy) => {
      const by = stage.camera.drag(dx * ratio(), dy * ratio());
      stage.pan = stage.pan.map((value, k) => value + by[k]);
    };
    canvas.addEventListener('pointerdown', (event) => {
      canvas.setPointerCapture(event.pointerId);
      pointers.set(event.pointerId, [event.clientX, event.clientY]);
    });
    canvas.addEventListener('pointermove', (event) => {
      const last = pointers.get(event.pointerId);
      if (!last) return;
      const now = [event.clientX, event.clientY];
      const [dx, dy] = [now[0] - last[0], now[1] - last[1]];
      const other = [...pointers].find(([id]) => id !== event.pointerId);
      if (other) {
        const gap = (point) => Math.max(10, Math.hypot(point[0] - other[1][0], point[1] - other[1][1]));
        stage.camera.zoom(gap(last) / gap(now));
        move(dx / 2, dy / 2);
      } else if (event.shiftKey || event.buttons & 6) {
        move(dx, dy);
      } else {
        stage.camera.orbit(dx * 0.008, dy * 0.008);
        stage.named = null;
      }
      pointers.set(event.pointerId, now);
      refresh();
    });
    for (const name of ['pointerup', 'pointercancel']) {
      canvas.addEventListener(name, (event) => pointers.delete(event.pointerId));
    }
    canvas.addEventListener('contextmenu', (event) => event.preventDefault());
    canvas.addEventListener(
      'wheel',
      (event) => {
        event.preventDefault();
        stage.camera.zoom(Math.exp(Math.max(-100, Math.min(100, event.deltaY)) * 0.0015));
        refresh();
      },
      { passive: false },
    );
  }

  build();
  listen();
  readTheme();
  if (panel) panel.resize();
  // For whoever embeds the page: the player's state, and where a joint is drawn, in CSS pixels of the canvas.
  window.lift3d = {
    play: () => setPlaying(true),
    pause: () => setPlaying(false),
    seek,
    look,
    get frame() {
      return frameNow() * clip.step;
    },
    get playing() {
      return playing;
    },
    locate(person, joint) {
      const place = clip.poses.joint(frameNow(), person, clip.poses.joints.indexOf(joint));
      stage.aim(frameNow());
      const pixel = place && stage.camera.project(place);
      return pixel && [pixel.x / (window.devicePixelRatio || 1), pixel.y / (window.devicePixelRatio || 1)];
    },
    locate2d(person, joint) {
      const pixel = clip.keypoints.joint(frameNow(), person, clip.keypoints.joints.indexOf(joint));
      return pixel && panel.place(pixel).map((value) => value / (window.devicePixelRatio || 1));
    },
  };
  setPlaying(!matchMedia('(prefers-reduced-motion: reduce)').matches);
})();
