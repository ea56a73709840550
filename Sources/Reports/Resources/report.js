// Makes the tables and plots of a report answer, without libraries. Names enter the page as text
// nodes only. The viewer is viewer.js, which follows in the same script.
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const tip = byId("tip");

/** A value of a metric as text; a penalty is marked. */
function shown(value, metric, isPenalty = false) {
  if (value === null || value === undefined) return "–";
  return value.toFixed(metric.decimals) + (isPenalty ? "†" : "");
}

/** Whether a case's value, or one of those that its figure is made of, is a penalty. */
function isPenalty(entry, metric, structure) {
  const positions = entry.penalties[metric];
  return structure === null ? positions.length > 0 : positions.includes(structure);
}

/** What stands for the structures of a case, or the value of one of them. */
function valueOf(entry, metric, structure) {
  const values = entry.values[metric];
  if (structure !== null) return values[structure];
  const defined = values.filter((value) => value !== null);
  if (!defined.length) return null;
  const { figure } = data.metrics[metric];
  if (figure === "largest") {
    return defined.reduce((a, b) => (Math.abs(b) > Math.abs(a) ? b : a));
  }
  const sum = defined.reduce((a, b) => a + b, 0);
  return figure === "sum" ? sum : sum / defined.length;
}

function showTip(text, x, y) {
  // A dialog lies above all else: what is to be seen over it has to lie in it.
  const home = byId("viewer").open ? byId("viewer") : document.body;
  if (tip.parentNode !== home) home.append(tip);
  tip.textContent = text;
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  const left = x + 16 + box.width > innerWidth - 8 ? x - 12 - box.width : x + 16;
  const top = y + 18 + box.height > innerHeight - 8 ? y - 10 - box.height : y + 18;
  tip.style.left = Math.max(8, left) + "px";
  tip.style.top = Math.max(8, top) + "px";
}
function hideTip() { tip.hidden = true; }

// The table of cases.
const table = byId("case-table");
const rows = [...table.tBodies[0].rows].map((row) => {
  const entry = data.cases[Number(row.dataset.case)];
  return { row, entry, text: row.textContent.toLowerCase() };
});
const headings = [...table.tHead.querySelectorAll("[data-key]")];
let order = { key: data.metrics[0]?.direction ? "0" : "notes", worstFirst: true };

function chosenStructure() {
  const value = byId("of-structure").value;
  return value === "" ? null : Number(value);
}

function sortRows() {
  const { key, worstFirst } = order;
  const turn = worstFirst ? 1 : -1;
  const structure = chosenStructure();
  const collator = new Intl.Collator(undefined, { numeric: true });
  let compare;
  let direction = 1;
  if (key === "name") {
    compare = (a, b) => turn * collator.compare(a.entry.name, b.entry.name);
  } else if (key === "group") {
    const place = (item) => {
      const at = data.groups.indexOf(item.row.cells[1].textContent);
      return at < 0 ? data.groups.length : at;
    };
    compare = (a, b) => turn * (place(a) - place(b));
  } else if (key === "notes") {
    compare = (a, b) => turn * (b.entry.weight - a.entry.weight);
  } else {
    // What is large is bad, or neither: descending. What is large is good: ascending.
    direction = data.metrics[Number(key)].direction > 0 ? 1 : -1;
    compare = (a, b) => {
      const failed = Boolean(b.entry.failure) - Boolean(a.entry.failure);
      if (failed && worstFirst) return failed;
      const first = valueOf(a.entry, Number(key), structure);
      const second = valueOf(b.entry, Number(key), structure);
      if (first === null || second === null) {
        return (first === null ? 1 : 0) - (second === null ? 1 : 0);
      }
      return turn * direction * (first - second);
    };
  }
  rows.sort((a, b) => compare(a, b) || a.row.dataset.case - b.row.dataset.case);
  table.tBodies[0].append(...rows.map((item) => item.row));
  const ascending = key === "notes" ? !worstFirst : turn * direction > 0;
  for (const heading of headings) {
    if (heading.dataset.key === key) {
      heading.setAttribute("aria-sort", ascending ? "ascending" : "descending");
    } else {
      heading.removeAttribute("aria-sort");
    }
  }
  tellShown();
}

function filterRows() {
  const words = byId("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  const onlyFlagged = byId("only-flagged").checked;
  for (const { row, entry, text } of rows) {
    const fits = words.every((word) => text.includes(word));
    const flagged = entry.failure || entry.flags.length > 0;
    row.hidden = !fits || (onlyFlagged && !flagged);
  }
  tellShown();
}

function shownCases() {
  return rows.filter((item) => !item.row.hidden).map((item) => Number(item.row.dataset.case));
}

function tellShown() {
  const count = shownCases().length;
  const all = rows.length === 1 ? "1 case" : rows.length + " cases";
  const isWorst = order.worstFirst && order.key !== "name" && order.key !== "group";
  byId("shown").textContent =
    (count === rows.length ? all : count + " of " + all) + (isWorst ? ", worst first" : "");
}

for (const heading of headings) {
  heading.querySelector("button").addEventListener("click", () => {
    const { key } = heading.dataset;
    order = { key, worstFirst: order.key === key ? !order.worstFirst : true };
    sortRows();
  });
}
byId("filter").addEventListener("input", filterRows);
byId("only-flagged").addEventListener("change", filterRows);
byId("of-structure").addEventListener("change", () => {
  const structure = chosenStructure();
  for (const { row, entry } of rows) {
    data.metrics.forEach((metric, index) => {
      row.cells[index + (data.groups.length ? 2 : 1)].textContent =
        shown(
            valueOf(entry, index, structure), metric, isPenalty(entry, index, structure));
    });
  }
  sortRows();
});
table.tBodies[0].addEventListener("click", (event) => {
  const button = event.target.closest("button.open");
  if (button) openCase(Number(button.closest("tr").dataset.case), chosenStructure());
});
sortRows();

// The plots.
const plots = [...document.querySelectorAll(".plots.of-structures")];
function arrangePlots() {
  const metric = Number(byId("plot-metric")?.value ?? 0);
  const worst = byId("plot-order")?.value === "worst";
  plots.forEach((plot, index) => {
    plot.hidden = index !== metric;
    const note = document.querySelector("[data-note='" + index + "']");
    if (note) note.hidden = index !== metric;
    const direction = data.metrics[index].direction < 0 ? -1 : 1;
    const mean = (row) => row.dataset.mean === undefined
      ? Infinity : direction * Number(row.dataset.mean);
    const list = [...plot.querySelectorAll(".row[data-structure]")];
    list.sort((a, b) => (worst ? mean(a) - mean(b) || 0 : 0)
      || a.dataset.structure - b.dataset.structure);
    plot.append(...list);
  });
}
for (const kind of ["group", "comparison"]) {
  byId(kind + "-metric")?.addEventListener("change", (event) => {
    for (const part of document.querySelectorAll(".of-" + kind)) {
      part.hidden = part.dataset.metric !== event.target.value;
    }
  });
}
byId("plot-metric")?.addEventListener("change", arrangePlots);
byId("plot-order")?.addEventListener("change", arrangePlots);

/** The case whose dot lies nearest to the pointer, if one is near. */
function dotUnder(event) {
  const strip = event.target.closest(".strip");
  const dots = strip?.querySelector(".dots");
  if (!dots) return null;
  const structure = Number(strip.closest(".row").dataset.structure);
  const metric = Number(strip.closest(".plots").dataset.metric);
  const box = strip.firstElementChild.getBoundingClientRect();
  const places = dots.getAttribute("d").match(/M[^h]+/g) ?? [];
  const cases = data.cases.map((_, index) => index)
    .filter((index) => data.cases[index].values[metric][structure] !== null);
  let best = null;
  let least = 12;
  places.forEach((place, index) => {
    const [x, y] = place.slice(1).split(" ").map(Number);
    const distance = Math.hypot(
      box.left + (x / 1000) * box.width - event.clientX,
      box.top + (y / 28) * box.height - event.clientY);
    if (distance < least) {
      least = distance;
      best = { index: cases[index], structure, metric, strip };
    }
  });
  return best;
}
for (const plot of plots) {
  plot.addEventListener("pointermove", (event) => {
    const dot = dotUnder(event);
    const strip = event.target.closest(".strip");
    strip?.classList.toggle("picks", Boolean(dot));
    if (!dot) return hideTip();
    const entry = data.cases[dot.index];
    const metric = data.metrics[dot.metric];
    const penalty = isPenalty(entry, dot.metric, dot.structure);
    const value = shown(entry.values[dot.metric][dot.structure], metric);
    showTip(entry.name + "\n" + data.structures[dot.structure].name + ": " + value
      + (metric.unit ? " " + metric.unit : "")
      + (penalty ? ", a penalty: one map lacks the structure" : ""), event.clientX, event.clientY);
  });
  plot.addEventListener("pointerleave", hideTip);
  plot.addEventListener("click", (event) => {
    const dot = dotUnder(event);
    if (dot && data.cases[dot.index].file) openCase(dot.index, dot.structure);
  });
}
