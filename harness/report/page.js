"use strict";
// What every part of the page shares: light and dark, copying, downloading, reading a diagram by
// keys. The page says all it has to say without any of it.

const THEMES = ["auto", "light", "dark"];

function stored() {
  try { return localStorage.getItem("antipaxos-theme") ?? "auto"; } catch { return "auto"; }
}

function paint(theme) {
  if (theme === "auto") { delete document.documentElement.dataset.theme; }
  else { document.documentElement.dataset.theme = theme; }
  document.getElementById("theme").textContent = `Colours: ${theme}`;
}

function chooseTheme() {
  const next = THEMES[(THEMES.indexOf(document.documentElement.dataset.theme ?? "auto") + 1) % THEMES.length];
  try { localStorage.setItem("antipaxos-theme", next); } catch { /* kept for this visit only */ }
  paint(next);
}

function say(button, word) {
  const usual = button.dataset.usual ?? (button.dataset.usual = button.firstChild.textContent);
  button.firstChild.textContent = word;
  setTimeout(() => { button.firstChild.textContent = usual; }, 2000);
}

async function copy(button) {
  const source = document.getElementById(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(source.textContent);
    say(button, "Copied");
  } catch { // a page from a file may not write there; then the reader does
    const closed = source.closest("details");
    if (closed) { closed.open = true; }
    getSelection().selectAllChildren(source);
    say(button, "Selected");
  }
}

function download(button) {
  const text = document.getElementById(button.dataset.download).textContent;
  const url = URL.createObjectURL(new Blob([text], { type: "application/jsonl" }));
  Object.assign(document.createElement("a"), { href: url, download: button.dataset.name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

// The space-time diagram: its arrows and dots in the order in which they stand, from above.
function readDiagram(place) {
  const told = document.getElementById("spacetime-read");
  const height = (group) => group.getBoundingClientRect().top;
  const groups = [...place.querySelectorAll("g")].filter((group) => group.querySelector("title"));
  groups.sort((a, b) => height(a) - height(b));
  let at = -1;
  const first = place.querySelector(".named")?.getBoundingClientRect(), frame = place.getBoundingClientRect();
  if (first && first.bottom > frame.bottom) { place.scrollTop = first.top - frame.top - frame.height / 2; }
  place.addEventListener("keydown", (event) => {
    const named = groups.findIndex((group, i) => i > at && group.querySelector(".named"));
    const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: groups.length - 1, n: named < 0 ? groups.findIndex((g) => g.querySelector(".named")) : named }[event.key];
    if (next === undefined || next < 0 || next >= groups.length || event.ctrlKey || event.metaKey || event.altKey) { return; }
    event.preventDefault();
    groups[at]?.classList.remove("read");
    at = next;
    groups[at].classList.add("read");
    const box = groups[at].getBoundingClientRect(), frame = place.getBoundingClientRect();
    if (box.top < frame.top + 40 || box.bottom > frame.bottom - 20) { place.scrollTop += box.top - frame.top - frame.height / 2; }
    told.textContent = `${at + 1} of ${groups.length}: ${groups[at].querySelector("title").textContent.replaceAll("\n", "; ")}`;
  });
}

for (const element of document.querySelectorAll(".needs-script")) { element.hidden = false; }
for (const element of document.querySelectorAll(".no-script")) { element.hidden = true; }
paint(THEMES.includes(stored()) ? stored() : "auto");
document.getElementById("theme").addEventListener("click", chooseTheme);
for (const button of document.querySelectorAll("[data-copy]")) { button.addEventListener("click", () => copy(button)); }
for (const button of document.querySelectorAll("[data-download]")) { button.addEventListener("click", () => download(button)); }
const diagram = document.getElementById("spacetime-drawing");
if (diagram) { readDiagram(diagram); }
