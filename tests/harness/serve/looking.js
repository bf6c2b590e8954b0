// What an accessibility checker would say of the page at hand: sentences, none if all is well.
() => {
  const wrong = [];
  const shown = (e) => e.getClientRects().length > 0 && getComputedStyle(e).visibility !== "hidden";
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  for (const id of new Set(ids.filter((id, at) => ids.indexOf(id) !== at))) wrong.push(`id ${id} twice`);
  const named = (e) => {
    const by = (e.getAttribute("aria-labelledby") || "").split(" ").filter(Boolean);
    const labels = [...(e.labels || [])].map((l) => l.textContent);
    const texts = [e.getAttribute("aria-label"), ...by.map((id) => document.getElementById(id)?.textContent), ...labels];
    return [...texts, e.matches("input, select") ? "" : e.textContent].some((t) => t && t.trim());
  };
  for (const e of document.querySelectorAll("a[href], button, input:not([type=hidden]), select, summary, [role=region], [role=img], svg"))
    if (shown(e) && !named(e)) wrong.push(`no name: ${e.outerHTML.slice(0, 120)}`);
  const headings = [...document.querySelectorAll("h1, h2, h3, h4")].map((h) => Number(h.tagName[1]));
  if (headings.filter((level) => level === 1).length !== 1) wrong.push(`h1: ${headings}`);
  headings.reduce((before, level) => (level > before + 1 && wrong.push(`headings ${headings}`), level), 0);
  if (!document.documentElement.lang || !document.title) wrong.push("no language or title");
  const over = document.documentElement.scrollWidth - innerWidth;
  if (over > 0) wrong.push(`${over} px wider than the window`);
  const rgb = (text) => (text.match(/[\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((c) => ((c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const ground = (e) => {
    for (; e; e = e.parentElement) {
      const colour = rgb(getComputedStyle(e).backgroundColor);
      if (colour.length === 3 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const seen = new Set();
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || seen.has(e) || !shown(e)) continue;
    seen.add(e);
    const style = getComputedStyle(e);
    const ink = rgb(e.closest("svg") ? style.fill : style.color);
    const [a, b] = [light(ink), light(ground(e))].sort((x, y) => y - x);
    const contrast = (a + 0.05) / (b + 0.05);
    if (contrast < 4.5) wrong.push(`contrast ${contrast.toFixed(2)}: ${e.outerHTML.slice(0, 120)}`);
  }
  return wrong;
}
