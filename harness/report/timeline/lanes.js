// Drawing what lies in lanes: bars of faults and leaders, operations by worker, log lines by node.

const LABELLED_FROM = 46; // pixels that a bar needs for words in it

function drawShades(context, view, panels, paint) {
  const top = panels.rows.y, bottom = panels.axis;
  for (const bar of view.d.groups.find((group) => group.name === "fault")?.bars ?? []) {
    const [left, right] = ends(view, bar);
    if (right > GUTTER && left < GUTTER + view.width) {
      context.fillStyle = paint[`fault-${bar.hue}`];
      context.fillRect(left, top, Math.max(1, right - left), bottom - top);
    }
  }
}

function ends(view, bar) {
  const left = Math.max(GUTTER, view.x(bar.from));
  return [left, Math.min(GUTTER + view.width, view.x(bar.to ?? view.d.end_s))];
}

function drawGroups(context, view, panels, paint) {
  for (const { group, y } of panels.groups) {
    label(context, paint, group.name, y + LANE / 2);
    for (const bar of group.bars) {
      const [left, right] = ends(view, bar);
      if (right <= GUTTER || left >= GUTTER + view.width) { continue; }
      const top = y + bar.lane * LANE + 1, wide = Math.max(2, right - left);
      context.fillStyle = paint[`bar-${bar.hue}`];
      context.fillRect(left, top, wide, LANE - 2);
      if (!bar.sure) { // it was not seen to act
        context.strokeStyle = paint.bad;
        context.setLineDash([3, 3]);
        context.strokeRect(left + 0.5, top + 0.5, Math.max(1, wide - 1), LANE - 3);
        context.setLineDash([]);
      }
      within(context, paint.ink, bar.label, left, top, wide, LANE - 2);
    }
  }
}

// Text in a box, cut where the box ends; none where too little of it would be seen.
function within(context, colour, text, left, top, wide, high) {
  if (wide < LABELLED_FROM || high < 12) { return; }
  context.save();
  context.beginPath();
  context.rect(left, top, wide - 3, high);
  context.clip();
  context.fillStyle = colour;
  context.textAlign = "left";
  context.fillText(text, left + 4, top + high / 2 + 0.5);
  context.restore();
}

function label(context, paint, text, y) {
  context.fillStyle = paint["ink-soft"];
  context.textAlign = "right";
  context.fillText(text, GUTTER - 8, y);
}

// One pass over what is in view; neighbours of one outcome that touch on the screen are one rectangle,
// so that a row costs no more than its pixels, however many operations lie there.
function drawRows(context, view, panels, paint) {
  const { d } = view, { y, each, height } = panels.rows;
  const rectangles = OUTCOMES.map(() => []), words = [];
  const high = Math.max(1, each - (each > 4 ? 2 : 0));
  d.byRow.forEach((row, n) => {
    const top = Math.floor(y + n * each), last = OUTCOMES.map(() => null);
    const open = row.open.find((i) => view.mask[i]);
    if (open !== undefined && d.start[open] < view.to) {
      const left = Math.max(GUTTER, view.x(d.start[open]));
      rectangles[2].push(left, top + high - Math.min(2, high), GUTTER + view.width - left, Math.min(2, high));
    }
    for (let k = lowest(row.reach, view.from); k < row.at.length; k++) {
      const i = row.at[k];
      if (d.start[i] > view.to) { break; }
      if (!view.mask[i]) { continue; }
      const [left, wide] = box(view, i), outcome = d.outcome[i], before = last[outcome];
      if (before !== null && left <= rectangles[outcome][before] + rectangles[outcome][before + 2] + 0.5) {
        rectangles[outcome][before + 2] = Math.max(rectangles[outcome][before + 2], left + wide - rectangles[outcome][before]);
      } else {
        last[outcome] = rectangles[outcome].push(left, top, wide, high) - 4;
      }
      if (wide >= LABELLED_FROM && high >= 12) { words.push(i, left, top, wide); }
    }
  });
  context.save();
  context.beginPath();
  context.rect(GUTTER, y, view.width, height);
  context.clip();
  OUTCOMES.forEach((outcome, n) => {
    context.fillStyle = paint[outcome];
    const all = rectangles[n];
    for (let k = 0; k < all.length; k += 4) { context.fillRect(all[k], all[k + 1], all[k + 2], all[k + 3]); }
  });
  for (let k = 0; k < words.length; k += 4) {
    within(context, paint.paper, d.texts.text[d.text[words[k]]], words[k + 1], words[k + 2], words[k + 3], high);
  }
  context.restore();
  label(context, paint, d.workers ? "worker" : "process", y + Math.min(8, height / 2));
  const step = Math.ceil(14 / each);
  for (let n = step; n < d.byRow.length; n += step) { label(context, paint, `${n}`, y + n * each + each / 2); }
}

// Where an operation lies in its row: not narrower than can be seen, not wider than the view.
function box(view, i) {
  const left = Math.max(GUTTER - 2, view.x(view.d.start[i]));
  const end = view.d.end[i] === Infinity ? view.d.start[i] : view.d.end[i];
  return [left, Math.max(1, Math.min(GUTTER + view.width + 2, view.x(end)) - left - 0.3)];
}

function drawLogs(context, view, panels, paint) {
  const { y, nodes } = panels.logs;
  nodes.forEach((node, n) => label(context, paint, `log ${node}`.slice(0, 12), y + n * LOG_ROW + LOG_ROW / 2));
  for (const [at, node, level] of view.d.lines) {
    const x = view.x(at);
    if (x < GUTTER || x > GUTTER + view.width) { continue; }
    context.fillStyle = level === "error" ? paint.bad : level === "warning" ? paint.fail : paint["ink-soft"];
    const high = level ? LOG_ROW - 2 : LOG_ROW - 6;
    context.fillRect(x, y + nodes.indexOf(node) * LOG_ROW + (LOG_ROW - high) / 2, level ? 2 : 1, high);
  }
}

// What a contradiction is about, and what the reader chose, go through everything.
function drawMarks(context, view, panels, paint) {
  const d = view.d, top = panels.groups[0]?.y ?? panels.rows.y;
  const line = (i, colour, dash) => {
    const x = Math.round(view.x(d.start[i])) + 0.5;
    if (x < GUTTER || x > GUTTER + view.width) { return; }
    context.strokeStyle = colour;
    context.setLineDash(dash);
    context.beginPath();
    context.moveTo(x, top);
    context.lineTo(x, panels.axis);
    context.stroke();
    context.setLineDash([]);
    const [left, wide] = box(view, i);
    context.lineWidth = 2;
    context.strokeRect(left - 1, panels.rows.y + d.row[i] * panels.rows.each - 1, wide + 2, panels.rows.each);
    context.lineWidth = 1;
  };
  for (const i of view.marks) { line(i, paint.bad, [2, 3]); }
  if (view.selected >= 0) { line(view.selected, paint.link, []); }
}
