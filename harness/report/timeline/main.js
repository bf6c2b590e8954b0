// One timeline: draws at most once a frame, only when something changed.

class Timeline {
  constructor(d, canvas) {
    this.view = new View(d);
    this.view.marks = d.marks.map((index) => this.position(index)).filter((i) => i >= 0);
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.waiting = false;
    this.repaint();
    this.filter();
  }

  position(index) {
    const column = this.view.d.index, i = lowest(column, index);
    return column[i] === index ? i : -1;
  }

  repaint() {
    this.paint = colours();
    this.view.bytes = Object.fromEntries(OUTCOMES.map((outcome) => [outcome, bytes(this.paint[outcome])]));
    this.resized();
  }

  resized() {
    const wide = this.canvas.parentElement.clientWidth;
    this.panels = laidOut(this.view, wide);
    this.ratio = Math.min(2, devicePixelRatio || 1);
    this.canvas.width = Math.round(wide * this.ratio);
    this.canvas.height = Math.round(this.panels.height * this.ratio);
    this.canvas.style.height = `${this.panels.height}px`;
    this.overview = null;
    this.draw(true);
  }

  draw(atOnce = false) {
    if (atOnce) { this.frame(); return; } // a canvas that was resized is empty until it is drawn
    if (this.waiting) { return; }
    this.waiting = true;
    requestAnimationFrame(() => { this.waiting = false; this.frame(); });
    clearTimeout(this.resting);
    this.resting = setTimeout(() => { listOperations(this.view); listLines(this.view); }, 150);
  }

  frame() {
    const { context, view, panels, paint } = this;
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.clearRect(0, 0, GUTTER + view.width + RIGHT, panels.height);
    context.font = `12px ${getComputedStyle(document.body).fontFamily}`;
    context.textBaseline = "middle";
    this.strip();
    drawWindow(context, view, paint);
    drawShades(context, view, panels, paint);
    drawGroups(context, view, panels, paint);
    drawRows(context, view, panels, paint);
    drawLogs(context, view, panels, paint);
    drawLatency(context, view, panels, paint, this.ratio);
    drawRates(context, view, panels, paint);
    drawAxis(context, view, panels, paint);
    drawMarks(context, view, panels, paint);
  }

  // The strip of the whole run changes with filters and colours only.
  strip() {
    if (this.overview === null) {
      this.overview = document.createElement("canvas");
      this.overview.width = this.canvas.width;
      this.overview.height = Math.round(OVERVIEW * this.ratio);
      const context = this.overview.getContext("2d");
      context.scale(this.ratio, this.ratio);
      context.font = this.context.font;
      context.textBaseline = "middle";
      drawOverview(context, this.view, this.paint);
    }
    this.context.drawImage(this.overview, 0, 0, this.overview.width / this.ratio, OVERVIEW);
  }

  filter() {
    filtered(this.view, wantedByFilters(this.view.d));
    const { shown, d } = this.view;
    byId("tl-count").textContent = `${shown.toLocaleString("en")} of ${d.total.toLocaleString("en")} operations`;
    this.overview = null;
    this.draw();
  }

  centre(at) {
    this.view.show(at - this.view.span / 2, at + this.view.span / 2);
    this.draw();
  }

  range(from, to) { // in the time of the run, with a little before and after
    const origin = this.view.d.by_order ? 0 : this.view.d.origin_s, wider = Math.max(0.1 * (to - from), 0.05);
    this.view.show(from - origin - wider, to - origin + wider);
    this.draw();
  }

  nextFault() {
    const faults = this.view.d.groups.find((group) => group.name === "fault")?.bars ?? [];
    const middle = (this.view.from + this.view.to) / 2;
    const next = faults.find((bar) => (bar.from + (bar.to ?? this.view.d.end_s)) / 2 > middle + 1e-6) ?? faults[0];
    if (next) { this.range(next.from + this.view.d.origin_s, (next.to ?? this.view.d.end_s) + this.view.d.origin_s); }
  }

  open(index) {
    const i = this.position(index);
    if (i < 0) { return; }
    const { start, end } = this.view.d, took = end[i] === Infinity ? 0 : end[i] - start[i];
    const around = Math.max(4 * took, 0.02 * this.view.d.end_s, SPAN_MIN_STEPS * this.view.d.step_s);
    if (this.view.span > 4 * around || start[i] < this.view.from || start[i] > this.view.to) {
      this.view.show(start[i] - around, start[i] + took + around);
    }
    this.select(i);
  }

  step(by) {
    const i = stepped(this.view, by);
    if (i >= 0) { this.open(this.view.d.index[i]); }
  }

  select(i) {
    this.view.selected = i;
    byId("tl-selected").textContent = i < 0 ? "" : sentence(this.view, i);
    this.draw();
  }

  pick(x, y) {
    const found = picked(this.view, this.panels, x, y);
    this.select(found?.operation ?? -1);
  }

  point(x, y) {
    const tip = byId("tl-tip"), found = x < 0 ? null : picked(this.view, this.panels, x, y);
    tip.hidden = found === null;
    if (found === null) { return; }
    tip.textContent = found.words;
    const wide = this.canvas.clientWidth;
    tip.style.left = `${Math.max(0, Math.min(x + 14, wide - tip.offsetWidth - 4))}px`;
    tip.style.top = `${y + 18}px`;
  }
}

async function begin() {
  const canvas = byId("tl-canvas");
  if (!canvas) { return; }
  if (typeof DecompressionStream === "undefined") {
    byId("tl-count").textContent = "This browser is too old for the drawing: it cannot unpack its data (browsers can since 2023).";
    return;
  }
  const d = await read(byId("tl-data"));
  fillFilters(d);
  const timeline = new Timeline(d, canvas);
  listenToPointer(canvas, timeline.view, timeline);
  listenToKeys(canvas, timeline.view, timeline);
  listenToPage(timeline.view, timeline);
  window.antipaxosTimeline = timeline;
  canvas.dataset.drawn = "yes";
}

begin();
