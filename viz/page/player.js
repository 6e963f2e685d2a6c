// The player: time, the loop that draws, and what connects the parts of the page.

(() => {
  const find = (id) => document.getElementById(id);
  const clip = JSON.parse(find('clip').textContent);
  if (clip.poses) clip.poses = new Bodies(clip.poses);
  if (clip.truth) clip.truth = new Bodies(clip.truth);
  if (clip.keypoints) clip.keypoints = new Flat(clip.keypoints);
  if (clip.angles) clip.angles = new Angles(clip.angles, clip.people.length);
  if (clip.cameras) clip.cameras = clip.cameras.map((camera) => new RealCamera(camera));
  const stage = clip.poses ? new Stage(find('stage'), clip) : null;
  const panel = clip.keypoints ? new Panel(find('panel'), clip) : null;
  const plot = clip.angles && clip.angles.list.length ? new Plot(find('plot'), clip) : null;
  const rate = clip.fps || 30 / clip.step;
  const shown = new Shown(clip);
  const controls = new Controls(clip, shown, refresh);
  const bar = plot ? new AngleBar(clip, plot, refresh) : null;
  const [play, scrub, speed, loop, follow, through] = ['play', 'scrub', 'speed', 'loop', 'follow', 'through'].map(find);
  let time = 0; // in frames of the page
  let playing = false;
  let before = null;
  let waiting = false;
  let theme;

  function frameNow() {
    return Math.min(clip.frames - 1, Math.max(0, Math.floor(time + 1e-6)));
  }

  function readTheme() {
    const style = getComputedStyle(document.documentElement);
    const dark = matchMedia('(prefers-color-scheme: dark)').matches;
    theme = { dark, mode: dark ? 'dark' : 'light', font: getComputedStyle(document.body).fontFamily };
    for (const name of ['sky', 'ground', 'grid', 'faint', 'ink', 'line', 'card', 'unknown']) {
      theme[name] = style.getPropertyValue(`--${name}`).trim();
    }
    paintSwatches();
  }

  function paintSwatches() {
    for (const dot of document.querySelectorAll('.swatch')) dot.style.background = dot.colours[theme.mode];
  }

  function draw() {
    const frame = frameNow();
    theme.ratio = window.devicePixelRatio || 1;
    find('plot-box').hidden = !plot || !shown.plot;
    if (stage) {
      stage.resize();
      const { square, errors, picture } = stage.draw(frame, shown, theme);
      const words = square === null ? [] : [`one square is ${square} m`];
      if (picture) words.push(`picture of frame ${picture.frame}`);
      find('stage-label').textContent = words.join(' · ');
      showLegend(errors, stage.comparison, theme);
      through.value = clip.cameras.indexOf(stage.eye);
    }
    if (panel) {
      panel.resize();
      panel.draw(frame, shown, theme);
    }
    if (plot && shown.plot) {
      plot.resize();
      plot.draw(frame, theme);
      bar.show(frame);
    }
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

  // 'front', 'side', 'top', 'overview', or 'camera': the first camera's own view.
  function look(name) {
    if (!stage) return;
    if (name === 'camera') {
      lookThrough(clip.cameras[0]);
    } else if (name !== 'overview' || clip.cameras.length) {
      stage.look(name);
      follow.value = stage.follow;
      refresh();
    }
  }

  function lookThrough(camera) {
    if (!camera) return;
    stage.lookThrough(camera);
    follow.value = stage.follow;
    refresh();
  }

  function nextCamera() {
    if (!stage || !clip.cameras.length) return;
    lookThrough(clip.cameras[(clip.cameras.indexOf(stage.eye) + 1) % clip.cameras.length]);
  }

  function setFollow(person) {
    stage.release();
    stage.follow = person;
    stage.pan = [0, 0, 0];
    stage.named = null;
    follow.value = person;
    stage.fit();
    refresh();
  }

  function fourthView() {
    look(clip.space === 'world' ? 'overview' : 'camera');
  }

  function build() {
    find('name').textContent = clip.name;
    find('line').textContent = clip.line + (clip.fps ? '' : ' · frame rate unknown, played at 30 fps');
    find('note').textContent = clip.note || '';
    find('note').hidden = !clip.note;
    find('panel-box').hidden = !panel;
    document.body.classList.toggle('flat', !stage);
    scrub.max = clip.frames - 1;
    follow.add(new Option('nobody', -1));
    clip.people.forEach((person, i) => follow.add(new Option(person.name, i)));
    if (!stage) return;
    const rig = clip.space === 'world';
    const fourth = find('view-fourth');
    fourth.textContent = rig ? 'Overview' : 'Camera';
    fourth.title = rig ? 'All cameras (4)' : "The camera's own view (4)";
    fourth.hidden = !clip.cameras.length;
    find('through-box').hidden = !rig || !clip.cameras.length;
    through.add(new Option('free', -1));
    clip.cameras.forEach((camera, i) => through.add(new Option(camera.name, i)));
    if (clip.angles) listMissing(clip.angles.missing);
    if (clip.people.length === 1 && stage.travel > 2 * stage.body) stage.follow = 0;
    follow.value = stage.follow;
  }

  function listen() {
    play.addEventListener('click', () => setPlaying(!playing));
    find('back').addEventListener('click', () => seek(frameNow() - 1));
    find('forward').addEventListener('click', () => seek(frameNow() + 1));
    scrub.addEventListener('input', () => seek(Number(scrub.value)));
    follow.addEventListener('change', () => setFollow(Number(follow.value)));
    through.addEventListener('change', () => {
      if (Number(through.value) < 0) look('front');
      else lookThrough(clip.cameras[through.value]);
    });
    for (const name of ['front', 'side', 'top']) find(`view-${name}`).addEventListener('click', () => look(name));
    find('view-fourth').addEventListener('click', fourthView);
    find('help-open').addEventListener('click', () => find('help').showModal());
    listenToKeys(keys(), refresh);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
      readTheme();
      refresh();
    });
    new ResizeObserver(refresh).observe(document.querySelector('main'));
    if (stage) listenToStage(find('stage'), stage, refresh, lookThrough);
    if (plot) {
      listenToPlot(find('plot'), plot, refresh, seek);
      find('angle').addEventListener('change', paintSwatches);
    }
    for (const { images } of clip.cameras || []) {
      for (const { image } of images) image.addEventListener('load', refresh);
    }
  }

  function keys() {
    const second = (event) => (event.shiftKey ? Math.max(1, Math.round(rate)) : 1);
    const faster = (by) => {
      speed.selectedIndex = Math.min(speed.length - 1, Math.max(0, speed.selectedIndex + by));
    };
    const free = (change) => () => {
      if (!stage) return;
      stage.release();
      change(stage.orbit);
    };
    return {
      ' ': () => setPlaying(!playing),
      ArrowLeft: (event) => seek(frameNow() - second(event)),
      ArrowRight: (event) => seek(frameNow() + second(event)),
      Home: () => seek(0),
      End: () => seek(clip.frames - 1),
      '[': () => faster(-1),
      ']': () => faster(1),
      l: () => (loop.checked = !loop.checked),
      f: () => stage && setFollow(((stage.follow + 2) % (clip.people.length + 1)) - 1),
      a: free((orbit) => orbit.orbit(-0.1, 0)),
      d: free((orbit) => orbit.orbit(0.1, 0)),
      w: free((orbit) => orbit.orbit(0, 0.1)),
      s: free((orbit) => orbit.orbit(0, -0.1)),
      '+': free((orbit) => orbit.zoom(0.9)),
      '=': free((orbit) => orbit.zoom(0.9)),
      '-': free((orbit) => orbit.zoom(1 / 0.9)),
      1: () => look('front'),
      2: () => look('side'),
      3: () => look('top'),
      4: fourthView,
      c: nextCamera,
      e: () => controls.flip('errors'),
      b: () => controls.flip('errorBars'),
      t: () => controls.flip('trails'),
      v: () => controls.flip('pictures'),
      p: () => controls.flip('plot'),
      '?': () => find('help').showModal(),
    };
  }

  // For whoever embeds the page: the player's state, and where a joint is drawn, in CSS pixels of the canvas.
  function publish() {
    const css = (pixel) => pixel && pixel.map((value) => value / (window.devicePixelRatio || 1));
    window.lift3d = {
      play: () => setPlaying(true),
      pause: () => setPlaying(false),
      seek,
      look,
      lookThrough: (name) => lookThrough(clip.cameras.find((camera) => camera.name === name)),
      get frame() {
        return frameNow() * clip.step;
      },
      get playing() {
        return playing;
      },
      get cursor() {
        return css([plot.x(frameNow())])[0];
      },
      locate(person, joint) {
        const place = clip.poses.joint(frameNow(), person, clip.poses.joints.indexOf(joint));
        stage.aim(frameNow());
        const pixel = place && stage.eye.project(place);
        return pixel && css([pixel.x, pixel.y]);
      },
      locate2d(person, joint) {
        const pixel = clip.keypoints.joint(frameNow(), person, clip.keypoints.joints.indexOf(joint));
        return css(pixel && panel.place(pixel));
      },
    };
  }

  build();
  readTheme();
  listen();
  publish();
  setPlaying(!matchMedia('(prefers-reduced-motion: reduce)').matches);
})();
