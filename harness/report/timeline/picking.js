// What is under the pointer, which operations the filters let through, and how to step through them.

function picked(view, panels, x, y) {
  if (x < GUTTER || x > GUTTER + view.width) { return null; }
  const at = view.at(x), slack = 3 / view.width * view.span;
  for (const { group, y: top, height } of panels.groups) {
    if (y >= top && y < top + height) {
      const lane = Math.floor((y - top) / LANE);
      const bar = group.bars.findLast((each) => each.lane === lane && each.from <= at + slack && (each.to ?? view.d.end_s) >= at - slack);
      return bar ? { words: bar.told } : null;
    }
  }
  if (within01(y, panels.rows)) {
    const i = operationAt(view, Math.floor((y - panels.rows.y) / panels.rows.each), at, slack);
    return i < 0 ? null : { operation: i, words: sentence(view, i) };
  }
  if (within01(y, panels.logs)) { return logAt(view, panels, at, y, slack); }
  if (within01(y, panels.latency)) { return dotAt(view, panels, x, y); }
  if (within01(y, panels.rates)) { return binAt(view, at); }
  return null;
}

function within01(y, panel) { return panel.height > 0 && y >= panel.y && y < panel.y + panel.height; }

function sentence(view, i) {
  const d = view.d;
  return `${told(d, i)}; ${OUTCOMES[d.outcome[i]]}, ${lasted(d, i)}, from ${moment(d, d.start[i], 1e-6)}`;
}

// The shortest of those in the row that lie there: it is what the others would hide.
function operationAt(view, n, at, slack) {
  const d = view.d, row = d.byRow[n];
  if (!row) { return -1; }
  let best = -1;
  for (let k = lowest(row.reach, at - slack); k < row.at.length && d.start[row.at[k]] <= at + slack; k++) {
    const i = row.at[k];
    if (!view.mask[i] || (d.end[i] !== Infinity && d.end[i] < at - slack)) { continue; }
    if (best < 0 || d.end[i] - d.start[i] <= d.end[best] - d.start[best]) { best = i; }
  }
  return best >= 0 ? best : row.open.findLast((i) => view.mask[i] && d.start[i] <= at) ?? -1;
}

function logAt(view, panels, at, y, slack) {
  const node = panels.logs.nodes[Math.floor((y - panels.logs.y) / LOG_ROW)];
  let best = null;
  for (const line of view.d.lines) {
    const away = Math.abs(line[0] - at);
    if (line[1] === node && away <= 2 * slack && (best === null || away < Math.abs(best[0] - at))) { best = line; }
  }
  return best && { words: `${moment(view.d, best[0])}  ${best[1]}  ${best[3]}` };
}

function dotAt(view, panels, x, y) {
  const d = view.d, { height } = panels.latency;
  const low = Math.floor(Math.log10(d.shortest)), high = Math.max(low + 1, Math.ceil(Math.log10(d.longest)));
  let best = -1, nearest = 36; // six pixels away, squared
  for (let i = 0; i < d.count; i++) {
    if (d.start[i] < view.from || d.start[i] > view.to || !view.mask[i] || d.end[i] === Infinity) { continue; }
    const across = view.x(d.start[i]) - x;
    if (across * across >= nearest) { continue; }
    const took = Math.log10(Math.max(d.end[i] - d.start[i], d.shortest));
    const up = panels.latency.y + height - (took - low) / (high - low) * height - y;
    if (across * across + up * up < nearest) { nearest = across * across + up * up; best = i; }
  }
  return best < 0 ? null : { operation: best, words: sentence(view, best) };
}

function binAt(view, at) {
  const { step, first, bins, begun } = view.binned, k = Math.floor(at / step) - first;
  if (!(k >= 0 && k < begun.length)) { return null; }
  const [ok, fail, info] = bins.map((column) => column[k]), ended = ok + fail + info;
  const share = ended ? `, ${(100 * ok / ended).toFixed(0)} % ok` : "";
  const range = `${moment(view.d, (first + k) * step, step)} to ${moment(view.d, (first + k + 1) * step, step)}`;
  return { words: `${range}: ${ok} ok, ${fail} fail, ${info} info${share}` };
}

// `wanted`: text, key, process, node, f (as typed; empty for any), during ([from, to] or null) and
// outcomes (a set of numbers). Texts are looked at once each, not once an operation.
function filtered(view, wanted) {
  const d = view.d, has = (texts, text) => texts.map((each) => each.toLowerCase().includes(text));
  const text = wanted.text.trim().toLowerCase();
  const inText = text && has(d.texts.text, text), inKey = text && has(d.texts.key, text), inNode = text && has(d.texts.node, text);
  const key = wanted.key === "" ? null : d.texts.key.map((each) => each === wanted.key);
  const node = wanted.node === "" ? -1 : d.texts.node.indexOf(wanted.node);
  const f = wanted.f === "" ? -1 : d.texts.f.indexOf(wanted.f);
  const process = wanted.process.trim();
  view.shown = 0;
  for (let i = 0; i < d.count; i++) {
    const shown = wanted.outcomes.has(d.outcome[i])
      && (key === null || key[d.key[i]]) && (node < 0 || d.node[i] === node) && (f < 0 || d.f[i] === f)
      && (process === "" || `${d.process[i]}` === process)
      && (wanted.during === null || (d.start[i] <= wanted.during[1] && d.end[i] >= wanted.during[0]))
      && (!text || inText[d.text[i]] || inKey[d.key[i]] || inNode[d.node[i]] || `${d.index[i]}` === text);
    view.mask[i] = shown ? 1 : 0;
    view.shown += view.mask[i];
  }
}

// The next operation that the filters let through, in the order of invocations; -1 for none.
function stepped(view, by) {
  const d = view.d;
  let i = view.selected;
  if (i < 0) {
    i = by > 0 ? lowest(d.start, view.from) - 1 : lowest(d.start, view.to);
  }
  for (i += by; i >= 0 && i < d.count; i += by) { if (view.mask[i]) { return i; } }
  return -1;
}
