// The reader's hands: pointer, wheel, keys, filters, buttons, and links from the rest of the page.

const byId = (id) => document.getElementById(id);
const ROWS_LISTED = 100, LINES_LISTED = 200, KEYS_OFFERED = 500;

function option(value, words) {
  return Object.assign(document.createElement("option"), { value, textContent: words });
}

function fillFilters(d) {
  const sorted = (texts) => texts.filter((text) => text).sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  byId("tl-node").append(...sorted(d.texts.node).map((text) => option(text, text)));
  byId("tl-f").append(...sorted(d.texts.f).map((text) => option(text, text)));
  byId("tl-keys").append(...sorted(d.texts.key).slice(0, KEYS_OFFERED).map((text) => option(text, text)));
  const faults = d.groups.find((group) => group.name === "fault")?.bars ?? [];
  byId("tl-during").append(...faults.map((bar, n) => option(`${n}`, bar.told)));
}

function wantedByFilters(d) {
  const faults = d.groups.find((group) => group.name === "fault")?.bars ?? [];
  const during = byId("tl-during").value === "" ? null : faults[Number(byId("tl-during").value)];
  const checked = [...document.querySelectorAll(".tl-filters input:checked")].map((box) => Number(box.value));
  return {
    text: byId("tl-text").value, key: byId("tl-key").value, process: byId("tl-process").value,
    node: byId("tl-node").value, f: byId("tl-f").value, outcomes: new Set(checked),
    during: during ? [during.from, during.to ?? d.end_s] : null,
  };
}

function listenToPointer(canvas, view, timeline) {
  const held = new Map(); // pointers that are down, by id, with where they were
  let moved = false;
  const place = (event) => [event.offsetX, event.offsetY];
  canvas.addEventListener("pointerdown", (event) => {
    const [x, y] = place(event);
    moved = false;
    held.set(event.pointerId, [x, y, y < OVERVIEW]);
    canvas.setPointerCapture(event.pointerId);
    canvas.classList.add("dragged");
    if (y < OVERVIEW) { timeline.centre((x - GUTTER) / view.width * view.d.end_s); }
  });
  canvas.addEventListener("pointermove", (event) => {
    const [x, y] = place(event), before = held.get(event.pointerId);
    if (!before) { timeline.point(x, y); return; }
    moved ||= Math.hypot(x - before[0], y - before[1]) > 3;
    if (!moved) { return; }
    if (held.size === 2) {
      const other = [...held].find(([id]) => id !== event.pointerId)[1];
      const apart = Math.abs(x - other[0]), was = Math.abs(before[0] - other[0]);
      if (apart > 10 && was > 10) { view.zoom(was / apart, view.at((x + other[0]) / 2)); }
    } else if (before[2]) {
      timeline.centre((x - GUTTER) / view.width * view.d.end_s);
    } else {
      const by = (before[0] - x) / view.width * view.span;
      view.show(view.from + by, view.to + by);
    }
    held.set(event.pointerId, [x, y, before[2]]);
    timeline.draw();
  });
  const release = (event) => {
    const before = held.get(event.pointerId);
    held.delete(event.pointerId);
    canvas.classList.toggle("dragged", held.size > 0);
    if (before && !moved && event.type === "pointerup") { timeline.pick(...place(event)); }
  };
  canvas.addEventListener("pointerup", release);
  canvas.addEventListener("pointercancel", release);
  canvas.addEventListener("pointerleave", () => timeline.point(-1, -1));
  canvas.addEventListener("dblclick", (event) => { view.zoom(0.3, view.at(event.offsetX)); timeline.draw(); });
  canvas.addEventListener("wheel", (event) => {
    const sideways = event.shiftKey ? event.deltaY : event.deltaX;
    if (event.ctrlKey || event.metaKey) {
      view.zoom(Math.exp(Math.max(-60, Math.min(60, event.deltaY)) * 0.008), view.at(event.offsetX));
    } else if (sideways) {
      const by = sideways / view.width * view.span;
      view.show(view.from + by, view.to + by);
    } else { return; } // the page scrolls
    event.preventDefault();
    timeline.draw();
  }, { passive: false });
}

function listenToKeys(canvas, view, timeline) {
  const moves = {
    ArrowLeft: () => view.show(view.from - view.span / 5, view.to - view.span / 5),
    ArrowRight: () => view.show(view.from + view.span / 5, view.to + view.span / 5),
    ArrowUp: () => view.zoom(0.7), ArrowDown: () => view.zoom(1 / 0.7),
    "+": () => view.zoom(0.7), "=": () => view.zoom(0.7), "-": () => view.zoom(1 / 0.7),
    0: () => view.show(0, view.d.end_s),
    Home: () => view.show(0, view.span), End: () => view.show(view.d.end_s - view.span, view.d.end_s),
    n: () => timeline.step(1), p: () => timeline.step(-1),
    Escape: () => timeline.select(-1),
  };
  canvas.addEventListener("keydown", (event) => {
    const move = event.ctrlKey || event.metaKey || event.altKey ? null : moves[event.key];
    if (!move) { return; }
    event.preventDefault();
    move();
    timeline.draw();
  });
}

function listenToPage(view, timeline) {
  const form = document.querySelector(".tl-filters");
  let soon;
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", () => { clearTimeout(soon); soon = setTimeout(() => timeline.filter(), 120); });
  const does = {
    in: () => view.zoom(0.5), out: () => view.zoom(2), whole: () => view.show(0, view.d.end_s),
    next: () => timeline.step(1), previous: () => timeline.step(-1), fault: () => timeline.nextFault(),
  };
  document.addEventListener("click", (event) => {
    const own = event.target.closest("[data-tl]"), operation = event.target.closest("[data-operation]");
    const span = event.target.closest("[data-from][data-to]");
    if (own) { does[own.dataset.tl](); timeline.draw(); return; }
    if (operation) { timeline.open(Number(operation.dataset.operation)); }
    else if (span) { timeline.range(Number(span.dataset.from), Number(span.dataset.to)); }
    else { return; }
    byId("timeline").scrollIntoView({ block: "nearest" });
  });
  for (const details of document.querySelectorAll(".tl-list")) { details.addEventListener("toggle", () => timeline.draw()); }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => timeline.repaint());
  new MutationObserver(() => timeline.repaint()).observe(document.documentElement, { attributes: true });
  new ResizeObserver(() => timeline.resized()).observe(byId("tl-canvas").parentElement);
}

// The same as text, for those who read it by ear or want to copy it.
function listOperations(view) {
  if (!byId("tl-rows").closest("details").open) { return; }
  const d = view.d, rows = [];
  let count = 0;
  for (let i = 0; i < d.count && d.start[i] <= view.to; i++) {
    if (!view.mask[i] || (d.end[i] === Infinity ? d.start[i] : d.end[i]) < view.from) { continue; }
    if (++count <= ROWS_LISTED) { rows.push(tableRow(d, i)); }
  }
  byId("tl-rows").replaceChildren(...rows);
  const listed = Math.min(count, ROWS_LISTED).toLocaleString("en");
  byId("tl-listed").textContent = `${listed} of ${count.toLocaleString("en")} operations in view.`;
}

function tableRow(d, i) {
  const row = document.createElement("tr");
  const cells = [
    d.index[i], d.process[i], d.texts.node[d.node[i]], d.texts.key[d.key[i]], d.texts.text[d.text[i]],
    moment(d, d.start[i], 1e-6), lasted(d, i), OUTCOMES[d.outcome[i]],
  ];
  row.append(...cells.map((cell) => Object.assign(document.createElement("td"), { textContent: cell })));
  return row;
}

function listLines(view) {
  const panel = byId("tl-logs");
  panel.hidden = !view.d.lines.length;
  if (!panel.open) { return; }
  const seen = view.d.lines.filter(([at]) => at >= view.from && at <= view.to);
  byId("tl-lines").replaceChildren(...seen.slice(0, LINES_LISTED).map(([at, node, level, text]) =>
    Object.assign(document.createElement("li"), { className: level, textContent: `${moment(view.d, at)}  ${node}  ${text}` })));
  byId("tl-logged").textContent = `${Math.min(seen.length, LINES_LISTED)} of ${seen.length.toLocaleString("en")} lines in view.`;
}
