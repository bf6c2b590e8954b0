// The part of the run that is seen, where everything lies on the canvas, and the colours of the page.

const GUTTER = 78, RIGHT = 8, OVERVIEW = 36, LANE = 18, AXIS = 24, GAP = 10;
const LATENCY = 130, RATES = 110, ROWS_HIGH = 320, LOG_ROW = 12, SPAN_MIN_STEPS = 20;

class View {
  constructor(d) {
    this.d = d;
    this.from = 0;
    this.to = d.end_s;
    this.mask = new Uint8Array(d.count).fill(1);
    this.shown = d.count;
    this.selected = -1;
  }

  get span() { return this.to - this.from; }

  // Keeps the view within the run, and no closer than its numbers are exact.
  show(from, to) {
    const least = Math.min(this.d.end_s, SPAN_MIN_STEPS * this.d.step_s);
    const span = Math.min(this.d.end_s, Math.max(least, to - from));
    const middle = (from + to) / 2;
    this.from = Math.min(Math.max(0, middle - span / 2), this.d.end_s - span);
    this.to = this.from + span;
  }

  zoom(factor, at = (this.from + this.to) / 2) {
    const span = Math.min(this.d.end_s, this.span * factor);
    const share = (at - this.from) / this.span;
    this.show(at - share * span, at + (1 - share) * span);
  }

  x(seconds) { return GUTTER + (seconds - this.from) / this.span * this.width; }

  at(x) { return this.from + (x - GUTTER) / this.width * this.span; }
}

// Where each panel begins and how high it is, for a canvas so wide.
function laidOut(view, wide) {
  const d = view.d;
  view.width = Math.max(50, wide - GUTTER - RIGHT);
  let y = OVERVIEW + GAP;
  const groups = d.groups.map((group) => {
    const here = { group, y, height: group.lanes * LANE };
    y += here.height + 6;
    return here;
  });
  const each = Math.min(20, Math.max(1, ROWS_HIGH / d.byRow.length));
  const rows = { y, each, height: Math.max(20, Math.min(ROWS_HIGH, each * d.byRow.length)) };
  y += rows.height + GAP;
  const nodes = [...new Set(d.lines.map((line) => line[1]))].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  const logs = { y, nodes, height: nodes.length * LOG_ROW };
  y += logs.height ? logs.height + GAP : 0;
  const latency = { y, height: d.by_order ? 0 : LATENCY };
  y += latency.height ? latency.height + GAP : 0;
  const rates = { y, height: d.by_order ? 0 : RATES };
  y += rates.height;
  return { groups, rows, logs, latency, rates, axis: y, height: y + AXIS };
}

const COLOURS = [
  "paper", "card", "ink", "ink-soft", "line", "ok", "fail", "info", "bad", "unsure", "link", "leader",
  "bar-partition", "bar-kill", "bar-pause", "bar-link", "fault-partition", "fault-kill", "fault-pause", "fault-link",
];

function colours() {
  const style = getComputedStyle(document.documentElement);
  const found = Object.fromEntries(COLOURS.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
  found["bar-leader"] = found.leader;
  found["bar-clock"] = found["bar-pause"];
  return found;
}

// A colour as four bytes, for drawing dot by dot.
function bytes(colour) {
  const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 });
  const context = canvas.getContext("2d");
  context.fillStyle = colour;
  context.fillRect(0, 0, 1, 1);
  return [...context.getImageData(0, 0, 1, 1).data];
}

// Steps of 1, 2 or 5 times a power of ten, of which about `wanted` fit.
function niceStep(span, wanted) {
  const rough = span / wanted, power = 10 ** Math.floor(Math.log10(rough));
  return power * ([1, 2, 5, 10].find((times) => times * power >= rough) ?? 10);
}
