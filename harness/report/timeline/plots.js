// Drawing what is counted: the strip of the whole run, latency dot by dot, rates, the axis.

function drawOverview(context, view, paint) {
  const d = view.d, wide = Math.max(1, Math.floor(view.width)), counts = OUTCOMES.map(() => new Uint32Array(wide));
  for (let i = 0; i < d.count; i++) {
    if (view.mask[i]) { counts[d.outcome[i]][Math.min(wide - 1, Math.floor(d.start[i] / d.end_s * wide))] += 1; }
  }
  const most = counts[0].reduce((m, n, i) => Math.max(m, n + counts[1][i] + counts[2][i]), 1);
  context.fillStyle = paint.card;
  context.fillRect(GUTTER, 0, view.width, OVERVIEW);
  for (const bar of d.groups.find((group) => group.name === "fault")?.bars ?? []) {
    const left = bar.from / d.end_s * wide, right = (bar.to ?? d.end_s) / d.end_s * wide;
    context.fillStyle = paint[`fault-${bar.hue}`];
    context.fillRect(GUTTER + left, 0, Math.max(1, right - left), OVERVIEW);
  }
  for (let x = 0; x < wide; x++) {
    let y = OVERVIEW;
    OUTCOMES.forEach((outcome, n) => {
      const high = counts[n][x] && Math.max(1, counts[n][x] / most * (OVERVIEW - 4));
      context.fillStyle = paint[outcome];
      context.fillRect(GUTTER + x, y - high, 1, high);
      y -= high;
    });
  }
  for (const i of view.marks) {
    context.fillStyle = paint.bad;
    context.fillRect(GUTTER + d.start[i] / d.end_s * wide - 1, 0, 2, OVERVIEW);
  }
  label(context, paint, "whole run", OVERVIEW / 2);
}

function drawWindow(context, view, paint) {
  const left = GUTTER + view.from / view.d.end_s * view.width;
  const wide = Math.max(3, view.span / view.d.end_s * view.width);
  context.strokeStyle = paint.ink;
  context.strokeRect(Math.round(left) + 0.5, 0.5, Math.round(wide) - 1, OVERVIEW - 1);
}

// Every operation in view is a dot, drawn into the picture's own bytes: a hundred thousand calls of
// fillRect would take longer than a frame has.
function drawLatency(context, view, panels, paint, ratio) {
  const { d } = view, { y, height } = panels.latency;
  if (!height) { return; }
  const low = Math.floor(Math.log10(d.shortest)), high = Math.max(low + 1, Math.ceil(Math.log10(d.longest)));
  const wide = Math.round(view.width * ratio), tall = Math.round(height * ratio), dot = Math.max(2, Math.round(2 * ratio));
  const picture = view.dots?.width === wide && view.dots.height === tall ? view.dots : new ImageData(wide, tall);
  view.dots = picture;
  const pixels = new Uint32Array(picture.data.buffer);
  pixels.fill(0);
  const ink = OUTCOMES.map((outcome) => new Uint32Array(Uint8Array.from(view.bytes[outcome]).buffer)[0]);
  const across = wide / view.span, up = tall / (high - low);
  for (let i = 0; i < d.count; i++) {
    if (d.start[i] < view.from || d.start[i] > view.to || !view.mask[i] || d.end[i] === Infinity) { continue; }
    const x = Math.min(wide - dot, Math.floor((d.start[i] - view.from) * across));
    const took = Math.max(d.end[i] - d.start[i], d.shortest);
    const row = Math.max(0, Math.min(tall - dot, Math.floor(tall - (Math.log10(took) - low) * up)));
    const colour = ink[d.outcome[i]];
    for (let b = 0; b < dot; b++) { pixels.fill(colour, (row + b) * wide + x, (row + b) * wide + x + dot); }
  }
  const layer = view.layer ??= document.createElement("canvas");
  if (layer.width !== wide || layer.height !== tall) { layer.width = wide; layer.height = tall; }
  layer.getContext("2d").putImageData(picture, 0, 0);
  label(context, paint, "latency", y + 7);
  for (let power = low; power <= high; power++) {
    const line = y + height - (power - low) / (high - low) * height;
    rule(context, view, paint, line);
    if (power < high) { label(context, paint, duration(d, 10 ** power), line - 6); }
  }
  context.drawImage(layer, GUTTER, y, view.width, height);
}

function rule(context, view, paint, y) {
  context.strokeStyle = paint.line;
  context.beginPath();
  context.moveTo(GUTTER, Math.round(y) + 0.5);
  context.lineTo(GUTTER + view.width, Math.round(y) + 0.5);
  context.stroke();
}

// Completions by bins of a round length, which stand still while the view moves. Where only a sample
// is drawn, the bins of all operations came with the page.
function binned(view) {
  const { d } = view, given = d.rates;
  const fine = niceStep(view.span, 110), step = given ? Math.max(fine, given.bucket_s) : Math.max(fine, 20 * d.step_s);
  const first = Math.floor(view.from / step), count = Math.ceil(view.to / step) - first + 1;
  const bins = OUTCOMES.map(() => new Float64Array(count)), begun = new Float64Array(count);
  if (given) {
    OUTCOMES.forEach((outcome, n) => given[outcome].forEach((number, k) => {
      const at = Math.floor((k * given.bucket_s) / step + 1e-9) - first;
      if (at >= 0 && at < count) { bins[n][at] += number; begun[at] += number; }
    }));
  } else {
    for (let i = 0; i < d.count; i++) {
      if (!view.mask[i]) { continue; }
      const from = Math.floor(d.start[i] / step) - first;
      if (from >= 0 && from < count) { begun[from] += 1; }
      const at = d.end[i] === Infinity ? -1 : Math.floor(d.end[i] / step) - first;
      if (at >= 0 && at < count) { bins[d.outcome[i]][at] += 1; }
    }
  }
  return { step, first, count, bins, begun };
}

function drawRates(context, view, panels, paint) {
  const { y, height } = panels.rates;
  if (!height) { return; }
  const found = view.binned = binned(view), { step, first, count, bins, begun } = found;
  const most = Math.max(...bins.map((column) => column.reduce((m, n) => Math.max(m, n), 0)), 1) / step;
  const unit = niceStep(most, 3), top = Math.ceil(most / unit) * unit;
  const line = (rate) => y + height - 6 - rate / top * (height - 12);
  label(context, paint, "ops/s", y + 7);
  for (let rate = 0; rate <= top; rate += unit) {
    rule(context, view, paint, line(rate));
    if (line(rate) > y + 18) { label(context, paint, rate.toLocaleString("en"), line(rate)); }
  }
  context.save();
  context.beginPath();
  context.rect(GUTTER, y, view.width, height);
  context.clip();
  context.lineWidth = 1.5;
  OUTCOMES.forEach((outcome, n) => {
    if (!bins[n].some((number) => number)) { return; }
    context.strokeStyle = paint[outcome];
    context.beginPath();
    for (let k = 0; k < count; k++) {
      context.lineTo(view.x((first + k) * step), line(bins[n][k] / step));
      context.lineTo(view.x((first + k + 1) * step), line(bins[n][k] / step));
    }
    context.stroke();
  });
  context.lineWidth = 1;
  context.fillStyle = paint.bad; // clients were at work, and nothing succeeded
  for (let k = 0; k < count; k++) {
    if (begun[k] && !bins[0][k]) {
      const left = view.x((first + k) * step);
      context.fillRect(left, y + height - 5, view.x((first + k + 1) * step) - left, 4);
    }
  }
  context.restore();
}

function drawAxis(context, view, panels, paint) {
  const step = niceStep(view.span, Math.max(2, view.width / 110)), d = view.d;
  context.fillStyle = paint["ink-soft"];
  context.textAlign = "center";
  rule(context, view, paint, panels.axis);
  const origin = d.by_order ? 0 : d.origin_s;
  for (let n = Math.ceil((origin + view.from) / step); n * step - origin <= view.to; n++) {
    const x = view.x(n * step - origin);
    context.fillRect(x, panels.axis, 1, 4);
    if (x < GUTTER + view.width - 16) { context.fillText(moment(d, n * step - origin, step), Math.max(GUTTER + 12, x), panels.axis + 14); }
  }
}
