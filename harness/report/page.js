"use strict";
// Draws the run with the page's own colours, again when the reader's light or filter changes.
// Every text that is given to plotly was made free of markup before it came here.
const figure = JSON.parse(document.getElementById("figure")?.textContent ?? "null");
const place = document.getElementById("story");
const filter = document.getElementById("filter");
const said = document.getElementById("drawn");
const DRAWN_WITHOUT_WEBGL_MAX = 4000;

const hasWebGL = (() => {
  try { return Boolean(document.createElement("canvas").getContext("webgl")); } catch { return false; }
})();

function paint(value) {
  if (typeof value === "string" && value.startsWith("--")) {
    return getComputedStyle(document.documentElement).getPropertyValue(value).trim();
  }
  if (Array.isArray(value)) { return value.map(paint); }
  if (value && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, paint(v)]));
  }
  return value;
}

// Which of an outcome's operations to draw: those that the filter names, thinned for slow drawing.
function chosen(columns, share) {
  const wanted = filter.value.trim().toLowerCase();
  const all = [...columns.index.keys()].filter((i) => !wanted || told(columns, i).toLowerCase().includes(wanted));
  return share < 1 ? all.filter((_, i) => Math.floor(i * share) !== Math.floor((i - 1) * share)) : all;
}

function told(columns, i) {
  const at = columns.node[i] ? ` at ${columns.node[i]}` : "";
  return `operation ${columns.index[i]}, process ${columns.process[i]}${at}: ${columns.words[i]}`;
}

function operations() {
  const total = Object.values(figure.operations).reduce((n, columns) => n + columns.index.length, 0);
  const share = hasWebGL ? 1 : Math.min(1, DRAWN_WITHOUT_WEBGL_MAX / Math.max(total, 1));
  const type = hasWebGL ? "scattergl" : "scatter";
  const traces = [];
  let count = 0;
  for (const [outcome, columns] of Object.entries(figure.operations)) {
    const x = [], y = [], text = [], startX = [], startY = [], ms = [];
    for (const i of chosen(columns, share)) {
      const start = columns.start_s[i], took = columns.ms[i];
      const words = `${told(columns, i)}, ${outcome}, ${took === null ? "never returned" : `${took} ms`}`;
      const end = took === null ? figure.end_s : start + took / 1000;
      x.push(start, end, null); y.push(columns.row[i], columns.row[i], null); text.push(words, words, "");
      if (took !== null) { startX.push(start); startY.push(words); ms.push(took); }
      count += 1;
    }
    const marker = { color: `--${outcome}` };
    traces.push(
      { type, mode: "lines+markers", name: outcome, legendgroup: outcome, yaxis: "y2", x, y, text, hoverinfo: "text",
        connectgaps: false, line: { ...marker, width: 6 }, marker: { ...marker, size: 3, symbol: "square" } },
      { type, mode: "markers", name: outcome, legendgroup: outcome, showlegend: false, yaxis: "y3", x: startX, y: ms,
        text: startY, hoverinfo: "text", marker: { ...marker, size: 4, opacity: 0.75 } });
  }
  const thinned = share < 1 ? " This browser has no WebGL: the rest is left out, evenly, to keep it quick." : "";
  said.textContent = `${count.toLocaleString("en")} of ${total.toLocaleString("en")} operations drawn.${thinned}`;
  return traces;
}

function draw() {
  const lines = { gridcolor: "--line", zerolinecolor: "--line", linecolor: "--line", automargin: true };
  const own = figure.layout;
  const layout = paint({
    ...own, xaxis: { ...lines, anchor: "y4", ...own.xaxis }, yaxis: { ...lines, ...own.yaxis }, yaxis2: { ...lines, ...own.yaxis2 },
    yaxis3: { ...lines, ...own.yaxis3 }, yaxis4: { ...lines, ...own.yaxis4 },
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", modebar: { bgcolor: "rgba(0,0,0,0)", color: "--ink-soft", activecolor: "--ink" },
    font: { color: "--ink", size: 12, family: getComputedStyle(document.body).fontFamily }, margin: { l: 60, r: 14, t: 34, b: 44 }, legend: { orientation: "h", x: 0, y: 1, yanchor: "bottom" },
    hoverlabel: { bgcolor: "--card", bordercolor: "--line", font: { color: "--ink" }, align: "left" },
    hovermode: "closest", dragmode: "zoom", uniformtext: { minsize: 9, mode: "hide" }, uirevision: "kept",
  });
  Plotly.react(place, paint([...figure.data, ...operations()]), layout,
    { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["select2d", "lasso2d"] });
}

if (place) {
  let soon;
  draw();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  filter.addEventListener("input", () => { clearTimeout(soon); soon = setTimeout(draw, 250); });
}
for (const button of document.querySelectorAll("button[data-copy]")) {
  button.addEventListener("click", async () => {
    const source = document.getElementById(button.dataset.copy);
    try { await navigator.clipboard.writeText(source.textContent); button.textContent = "Copied"; }
    catch { getSelection().selectAllChildren(source); button.textContent = "Selected"; }
  });
}
