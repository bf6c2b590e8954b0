"use strict";
// The orders that were tried, step by step: the bar of each step gets its number, and the state
// before and after it is shown. Texts become text nodes, never markup.

class Stepper {
  constructor(box) {
    this.box = box;
    this.orders = JSON.parse(document.getElementById(box.id.replace("-steps", "-orders")).textContent);
    this.bars = new Map();
    for (const bar of box.closest("section").querySelectorAll("[data-bar]")) { this.bars.set(Number(bar.dataset.bar), bar); }
    this.culprit = Number(box.dataset.culprit);
    this.listen();
    this.choose(0);
  }

  part(name) { return this.box.querySelector(`[data-${name}]`); }

  get order() { return this.orders[this.chosen]; }

  listen() {
    this.part("choose").addEventListener("change", (event) => this.choose(Number(event.target.value)));
    const moves = { first: () => 0, back: () => this.at - 1, on: () => this.at + 1, last: () => this.order.steps.length };
    for (const button of this.box.querySelectorAll("[data-step]")) {
      button.addEventListener("click", () => this.go(moves[button.dataset.step]()));
    }
    const keys = { ArrowLeft: moves.back, ArrowRight: moves.on, Home: moves.first, End: moves.last };
    this.box.addEventListener("keydown", (event) => {
      if (event.target.tagName === "SELECT" || event.ctrlKey || event.metaKey || event.altKey) { return; }
      const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
      if (keys[event.key]) { this.go(keys[event.key]()); }
      else if (by && this.orders[this.chosen + by]) { this.choose(this.chosen + by); }
      else if (!by) { return; }
      event.preventDefault();
    });
    for (const [operation, bar] of this.bars) {
      bar.addEventListener("pointerenter", () => {
        const at = this.order.steps.findIndex((step) => step.operation === operation);
        if (at >= 0) { this.show(at); } else if (operation === this.culprit) { this.show(this.order.steps.length); }
      });
      bar.addEventListener("pointerleave", () => this.show(this.at));
    }
  }

  choose(number) {
    this.chosen = number;
    this.part("choose").value = `${number}`;
    const steps = this.order.steps.map((step, i) => this.chip(i, `${this.order.left_out + i + 1}`, step.what));
    const end = this.chip(steps.length, "✕", "ends here");
    end.classList.add("end");
    this.part("chips").replaceChildren(...steps, end);
    this.go(this.order.steps.length);
  }

  chip(at, number, words) {
    const button = Object.assign(document.createElement("button"), { type: "button" });
    button.append(Object.assign(document.createElement("b"), { textContent: number }), ` ${words}`);
    button.addEventListener("click", () => this.go(at));
    button.addEventListener("pointerenter", () => this.show(at));
    button.addEventListener("pointerleave", () => this.show(this.at));
    const item = document.createElement("li");
    item.append(button);
    return item;
  }

  go(at) {
    this.at = Math.max(0, Math.min(at, this.order.steps.length));
    this.show(this.at);
    this.part("said").textContent = [...this.box.querySelectorAll(".states > div")].map((div) => div.textContent).join("; ");
  }

  // The step before which and after which the states are told; behind the last, why it ends.
  show(at) {
    const { steps, before, state, reason, begins, left_out } = this.order;
    const step = steps[at], stateBefore = at === 0 ? before : steps[at - 1].after;
    const unknown = "not recorded", total = left_out + steps.length;
    this.part("before").textContent = (step ? stateBefore : state) || (at === 0 ? begins : unknown);
    this.part("what-label").textContent = step ? `step ${left_out + at + 1}` : "then";
    this.part("what").textContent = step ? `operation ${step.operation}: ${step.what} by process ${step.process}` : reason;
    this.part("after").textContent = step ? `${step.after || unknown}${step.after && !step.changed ? " (unchanged)" : ""}` : "none: the order ends here";
    this.part("count").textContent = step ? `step ${left_out + at + 1} of ${total}` : total ? `all ${total} steps taken` : "no step can be taken";
    this.box.classList.toggle("stuck", !step);
    [...this.part("chips").children].forEach((item, i) => {
      if (i === at) { item.firstChild.setAttribute("aria-current", "step"); } else { item.firstChild.removeAttribute("aria-current"); }
    });
    this.number(at);
  }

  number(at) {
    for (const bar of this.bars.values()) {
      bar.querySelector(".badge")?.remove();
      bar.classList.remove("current", "placed");
    }
    this.order.steps.slice(0, at + 1).forEach((step, i) => {
      const bar = this.bars.get(step.operation);
      if (!bar) { return; }
      bar.classList.add(i === at ? "current" : "placed");
      bar.append(badge(bar, `${this.order.left_out + i + 1}`));
    });
    if (at === this.order.steps.length) { this.bars.get(this.culprit)?.classList.add("current"); }
  }
}

// A number on the left end of a bar.
function badge(bar, number) {
  const rect = bar.querySelector("rect"), made = (name) => document.createElementNS("http://www.w3.org/2000/svg", name);
  const group = made("g"), disc = made("rect"), text = made("text");
  const wide = 9 + 7 * number.length, x = Number(rect.getAttribute("x")), y = Number(rect.getAttribute("y"));
  const place = { x: x - wide / 2, y: y - 8, width: wide, height: 16, rx: 8 };
  for (const [name, value] of Object.entries(place)) { disc.setAttribute(name, value); }
  group.setAttribute("class", "badge");
  text.setAttribute("x", x);
  text.setAttribute("y", y + 4);
  text.textContent = number;
  group.append(disc, text);
  return group;
}

// Of a drawing wider than the page the end is shown: what was found wrong stands there.
for (const frame of document.querySelectorAll(".scroll.window")) {
  const culprits = [...frame.querySelectorAll(".culprit")].map((rect) => rect.getBoundingClientRect().right);
  const beyond = Math.max(...culprits) - frame.getBoundingClientRect().right;
  const names = [...frame.querySelectorAll(".name")];
  names.at(-1)?.parentElement.append(...names); // over the bars that pass below them
  frame.addEventListener("scroll", () => { for (const name of names) { name.setAttribute("x", frame.scrollLeft); } });
  if (beyond > 0) { frame.scrollLeft = beyond + 40; }
}
for (const box of document.querySelectorAll(".stepper")) { new Stepper(box); }
