() => {
  const wrong = [];
  const seen = (e) => e.getClientRects().length > 0 && getComputedStyle(e).visibility !== "hidden";
  const named = (e) => {
    const by = (e.getAttribute("aria-labelledby") ?? "").split(" ").map((id) => document.getElementById(id)?.textContent ?? "").join("");
    const label = e.labels?.length ? [...e.labels].map((l) => l.textContent).join("") : "";
    const title = [...e.children].find((c) => c.tagName.toLowerCase() === "title")?.textContent ?? "";
    return (e.getAttribute("aria-label") || by || label || title || e.textContent || e.alt || "").trim();
  };
  const at = (e) => `${e.tagName.toLowerCase()}${e.id ? `#${e.id}` : ""}.${e.getAttribute("class") ?? ""} '${e.textContent.trim().slice(0, 40)}'`;
  const all = (s) => [...document.querySelectorAll(s)];

  if (all("h1").length !== 1) { wrong.push(`${all("h1").length} h1`); }
  let level = 0;
  for (const h of all("h1, h2, h3, h4").filter(seen)) {
    const now = Number(h.tagName[1]);
    if (now > level + 1) { wrong.push(`heading jumps from ${level}: ${at(h)}`); }
    level = now;
  }
  if (!document.documentElement.lang) { wrong.push("no language"); }
  if (!document.title) { wrong.push("no title"); }
  for (const landmark of ["main", "nav", "header"]) { if (!all(landmark).length) { wrong.push(`no ${landmark}`); } }
  const ids = all("[id]").map((e) => e.id);
  for (const id of ids.filter((id, i) => ids.indexOf(id) !== i)) { wrong.push(`id twice: ${id}`); }
  for (const e of all("button, a[href], input, select, textarea, summary, [role=region], [role=group], [role=img], [role=application], [tabindex='0']:not(pre):not(code)")) {
    if (!named(e)) { wrong.push(`without a name: ${at(e)}`); }
  }
  for (const e of all("input, select")) {
    if (!e.labels.length && !e.getAttribute("aria-label")) { wrong.push(`without a label: ${at(e)}`); }
  }
  for (const e of all("[tabindex]")) { if (Number(e.getAttribute("tabindex")) > 0) { wrong.push(`positive tabindex: ${at(e)}`); } }
  for (const e of all("a[href^='#']")) { if (!document.getElementById(e.getAttribute("href").slice(1))) { wrong.push(`leads nowhere: ${at(e)}`); } }
  for (const attribute of ["aria-labelledby", "aria-describedby", "aria-controls"]) {
    for (const e of all(`[${attribute}]`)) {
      for (const id of e.getAttribute(attribute).split(" ")) { if (!document.getElementById(id)) { wrong.push(`${attribute} names nothing: ${at(e)}`); } }
    }
  }
  for (const table of all("table")) {
    if (!table.querySelector("thead th")) { wrong.push(`no headings: ${at(table)}`); }
    if ([...table.querySelectorAll("th")].some((th) => !th.scope)) { wrong.push(`no scope: ${at(table)}`); }
    if (!table.caption && !table.closest("[aria-label]")) { wrong.push(`no caption: ${at(table)}`); }
  }
  for (const image of all("img, svg")) {
    const hidden = image.closest("[aria-hidden=true]");
    if (!hidden && !(image.getAttribute("role") === "img" && named(image)) && !image.alt) { wrong.push(`picture without text: ${at(image)}`); }
  }
  for (const e of all(".scroll, pre, .lines").filter(seen)) {
    const over = e.scrollWidth > e.clientWidth + 1 || e.scrollHeight > e.clientHeight + 1;
    if (over && e.tabIndex < 0) { wrong.push(`cannot be scrolled by keys: ${at(e)}`); }
  }

  const numbers = (colour) => { const n = colour.match(/[\d.]+/g).map(Number); return [n[0], n[1], n[2], n[3] ?? 1]; };
  const over = (top, under) => top.slice(0, 3).map((c, i) => c * top[3] + under[i] * (1 - top[3]));
  const bright = (rgb) => { const [r, g, b] = rgb.map((c) => { c /= 255; return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const contrast = (a, b) => { const [high, low] = [bright(a), bright(b)].sort((x, y) => y - x); return (high + 0.05) / (low + 0.05); };
  const ground = (e) => {
    const layers = [];
    for (let p = e; p; p = p.parentElement) { layers.push(numbers(getComputedStyle(p).backgroundColor)); }
    return layers.reverse().reduce((under, layer) => over(layer, under), [255, 255, 255]);
  };
  for (const e of all("body *").filter(seen)) {
    if (!/\S/.test([...e.childNodes].filter((n) => n.nodeType === 3).map((n) => n.data).join("")) || e.closest("script, title, option, .hidden")) { continue; }
    const style = getComputedStyle(e), inSvg = e instanceof SVGElement;
    let behind = ground(inSvg ? e.ownerSVGElement.parentElement : e);
    const bar = inSvg && e.parentElement.querySelector(":scope > rect");
    if (bar) { const s = getComputedStyle(bar); const c = numbers(s.fill); behind = over([c[0], c[1], c[2], c[3] * Number(s.fillOpacity)], behind); }
    const ratio = contrast(over(numbers(inSvg ? style.fill : style.color), behind), behind);
    if (ratio < 4.5) { wrong.push(`contrast ${ratio.toFixed(2)}: ${at(e)}`); }
  }
  return [...new Set(wrong)];
}
