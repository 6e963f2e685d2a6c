// Mouse, touch and keys.

// Turning, moving and zooming the view on the stage's canvas; a click on a camera's name looks through it.
function listenToStage(canvas, stage, changed, choose) {
  const pointers = new Map();
  const ratio = () => window.devicePixelRatio || 1;
  let moved = false;
  const move = (dx, dy) => {
    stage.release();
    const by = stage.orbit.drag(dx * ratio(), dy * ratio());
    stage.pan = stage.pan.map((value, k) => value + by[k]);
  };
  const cameraAt = (event) => {
    const box = canvas.getBoundingClientRect();
    return stage.scenery.cameraAt((event.clientX - box.left) * ratio(), (event.clientY - box.top) * ratio());
  };
  canvas.addEventListener('pointerdown', (event) => {
    canvas.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, [event.clientX, event.clientY]);
    moved = pointers.size > 1;
  });
  canvas.addEventListener('pointermove', (event) => {
    const last = pointers.get(event.pointerId);
    if (!last) {
      canvas.classList.toggle('on-camera', Boolean(cameraAt(event)));
      return;
    }
    const now = [event.clientX, event.clientY];
    const [dx, dy] = [now[0] - last[0], now[1] - last[1]];
    if (!moved && Math.hypot(dx, dy) < 3) return;
    moved = true;
    const other = [...pointers].find(([id]) => id !== event.pointerId);
    if (other) {
      const gap = (point) => Math.max(10, Math.hypot(point[0] - other[1][0], point[1] - other[1][1]));
      move(dx / 2, dy / 2);
      stage.orbit.zoom(gap(last) / gap(now));
    } else if (event.shiftKey || event.buttons & 6) {
      move(dx, dy);
    } else {
      stage.release();
      stage.orbit.orbit(dx * 0.008, dy * 0.008);
      stage.named = null;
    }
    pointers.set(event.pointerId, now);
    changed();
  });
  canvas.addEventListener('pointerup', (event) => {
    const camera = moved ? null : cameraAt(event);
    if (camera) choose(camera);
  });
  for (const name of ['pointerup', 'pointercancel']) {
    canvas.addEventListener(name, (event) => pointers.delete(event.pointerId));
  }
  canvas.addEventListener('contextmenu', (event) => event.preventDefault());
  canvas.addEventListener(
    'wheel',
    (event) => {
      event.preventDefault();
      stage.release();
      stage.orbit.zoom(wheelFactor(event));
      changed();
    },
    { passive: false },
  );
}

// Scrubbing by a click or drag in the plot; the wheel and a double click change how much time it shows.
function listenToPlot(canvas, plot, changed, seek) {
  const x = (event) => event.clientX - canvas.getBoundingClientRect().left;
  const scrub = (event) => seek(plot.frameAt(x(event)));
  canvas.addEventListener('pointerdown', (event) => {
    canvas.setPointerCapture(event.pointerId);
    scrub(event);
  });
  canvas.addEventListener('pointermove', (event) => canvas.hasPointerCapture(event.pointerId) && scrub(event));
  canvas.addEventListener(
    'wheel',
    (event) => {
      event.preventDefault();
      plot.zoom(wheelFactor(event), x(event));
      changed();
    },
    { passive: false },
  );
  canvas.addEventListener('dblclick', () => {
    plot.zoom(Infinity, 0);
    changed();
  });
}

function wheelFactor(event) {
  return Math.exp(Math.max(-100, Math.min(100, event.deltaY)) * 0.0015);
}

// Calls the action of a key, unless the focused control keeps it for itself.
function listenToKeys(actions, changed) {
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]')) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const kind = event.target.type === 'range' ? 'RANGE' : event.target.tagName;
    const own = {
      RANGE: ['ArrowLeft', 'ArrowRight', 'Home', 'End'],
      INPUT: [' '],
      BUTTON: [' '],
      SUMMARY: [' '],
      SELECT: [' ', 'Home', 'End', 'ArrowLeft', 'ArrowRight'],
    }[kind];
    if ((own && own.includes(key)) || (kind === 'SELECT' && key.length === 1)) return;
    if (!actions[key]) return;
    event.preventDefault();
    actions[key](event);
    changed();
  });
}
