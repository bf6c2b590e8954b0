// Copying, ticking two runs, and pages that follow a run. Every page works without, but for the following.
"use strict";

for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", async () => {
    const source = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(source.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(source);
      button.textContent = "Selected";
    }
  });
}

for (const form of document.querySelectorAll("[data-two]")) {
  const button = form.querySelector("button");
  const update = () => {
    button.disabled = form.querySelectorAll("input:checked").length !== 2;
  };
  form.addEventListener("change", update);
  update();
  addEventListener("pageshow", update);
}

for (const live of document.querySelectorAll("[data-events]")) {
  const LINES_MAX = 2000;
  const events = new EventSource(live.dataset.events);
  const output = live.querySelector("[data-lines]");
  const end = live.querySelector("[data-end]");
  const told = (event) => JSON.parse(event.data);
  events.addEventListener("line", (event) => {
    const below = output.scrollHeight - output.scrollTop - output.clientHeight < 40;
    output.append(told(event) + "\n");
    while (output.childNodes.length > LINES_MAX) output.firstChild.remove();
    if (below) output.scrollTop = output.scrollHeight;
  });
  events.addEventListener("progress", (event) => {
    const { runs = [], ...numbers } = told(event);
    const listed = live.querySelector("[data-runs]");
    for (const [run, page] of runs.slice(listed?.children.length)) {
      const link = Object.assign(document.createElement("a"), { href: page, textContent: run });
      listed.append(document.createElement("li"));
      listed.lastChild.append(link);
    }
    for (const [name, value] of Object.entries(numbers)) {
      const shown = live.querySelector(`[data-shown="${name}"]`);
      if (shown) shown.textContent = value;
    }
  });
  events.addEventListener("end", (event) => {
    events.close();
    if (live.dataset.then === "reload") return location.reload();
    const { outcome, exit_code } = told(event);
    end.textContent = `It has ended: ${outcome}, exit code ${exit_code}.`;
    const tag = document.querySelector("[data-outcome]");
    tag.textContent = outcome.toUpperCase();
    tag.className = "tag " + (["valid", "invalid", "unknown"].includes(outcome) ? outcome : "none");
    live.querySelector("[data-while]")?.remove();
  });
}
