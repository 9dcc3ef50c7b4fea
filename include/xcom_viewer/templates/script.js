"use strict";
// Follows the colours of Airflow's UI, which shows this page in a frame; fills the cards; sorts and
// searches what is in them; copies, downloads, and opens Airflow's own pages, which the frame's
// sandbox would not let a plain link do.

const frame = (() => {
  try {
    return window.parent !== window && window.parent.document ? window.parent : null;
  } catch {
    return null; // another origin's frame
  }
})();

// Airflow's own colours, by the names that its UI gives them; ours where it has none of that name.
const COLOURS = {
  back: "bg", soft: "bg-muted", line: "border", text: "fg", muted: "fg-muted", link: "fg-info",
};

function followTheme() {
  const root = document.documentElement;
  if (!frame) {
    root.classList.toggle("dark", window.matchMedia("(prefers-color-scheme: dark)").matches);
    return;
  }
  const theirs = frame.document.documentElement;
  const apply = () => {
    root.classList.toggle("dark", theirs.classList.contains("dark"));
    const style = frame.getComputedStyle(theirs);
    for (const [ours, name] of Object.entries(COLOURS)) {
      const colour = style.getPropertyValue(`--chakra-colors-${name}`);
      if (colour) root.style.setProperty(`--${ours}`, colour);
      else root.style.removeProperty(`--${ours}`);
    }
  };
  apply();
  new MutationObserver(apply).observe(theirs, { attributes: true, attributeFilter: ["class"] });
}

// Times are shown in the zone that Airflow's UI is set to; without one they stay in UTC.
function showTimes(within) {
  let timeZone;
  try {
    timeZone = JSON.parse(localStorage.getItem("timezone"));
    if (!timeZone || timeZone === "UTC") return;
    const style = { dateStyle: "short", timeStyle: "medium", timeZone };
    const shown = new Intl.DateTimeFormat("sv-SE", style); // 2026-11-22 11:00:05
    for (const time of within.querySelectorAll("time")) {
      const zone = "bare" in time.dataset ? "" : ` ${timeZone}`; // where a column's head has it
      time.title = `${time.textContent.replace(" UTC", "")} UTC`;
      time.textContent = shown.format(new Date(time.dateTime)) + zone;
    }
    for (const zone of within.querySelectorAll("[data-zone]")) zone.textContent = timeZone;
  } catch {
    // a setting that is none
  }
}

async function fill(body, address) {
  body.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(address, { credentials: "same-origin" });
    if (!(answer.headers.get("content-type") || "").startsWith("text/html")) throw answer;
    body.innerHTML = await answer.text(); // escaped by the server; the page's policy runs no script
    // A refusal is a whole page: of it, what it says.
    const main = body.querySelector("main");
    if (main) body.replaceChildren(...main.childNodes);
  } catch {
    body.innerHTML =
      '<div class="state" role="status"><h3>Airflow does not answer</h3>' +
      "<p>The API server could not be reached, or its answer was none of the viewer's.</p>" +
      '<p><button type="button" data-retry>Try again</button></p></div>';
  }
  body.setAttribute("aria-busy", "false");
  showTimes(body);
  offerDownloads(body.closest(".card"));
}

// Not where there is nothing to be had.
function offerDownloads(card) {
  const nothing = card.querySelector("[data-nothing]") !== null;
  for (const link of card.querySelectorAll("[data-download], header [data-part]")) {
    link.hidden = nothing;
  }
}

async function fillAll() {
  const waiting = [...document.querySelectorAll("[data-src]")];
  const worker = async () => {
    for (let body = waiting.shift(); body; body = waiting.shift()) {
      await fill(body, body.dataset.src);
    }
  };
  await Promise.all([worker(), worker(), worker()]);
}

async function copy(button, text) {
  let done = true;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const field = document.createElement("textarea"); // without https there is no clipboard API
    field.value = text;
    document.body.append(field);
    field.select();
    done = document.execCommand("copy");
    field.remove();
  }
  const before = button.textContent;
  button.textContent = done ? "Copied" : "Could not copy";
  setTimeout(() => (button.textContent = before), 1500);
}

// Clicked in the page around this frame, which may do what the frame may not.
function clickAround(link, isDownload) {
  const home = (frame || window).document;
  const other = home.createElement("a");
  other.href = link.href;
  if (isDownload) other.download = "";
  home.body.append(other);
  other.click();
  other.remove();
}

// Of the address of the page around this frame, what follows # names the card to show, and perhaps
// a part of its value. What has a page of its own is opened there.
function showTarget() {
  const shared = frame && !location.hash;
  const [name, leaf] = (shared ? frame : window).location.hash.slice(1).split("&leaf=");
  const place = name && document.getElementById(name);
  if (!place) return;
  if (shared && (leaf || place.matches("tr"))) {
    const page = new URL(place.dataset.page, location.href);
    if (leaf) page.searchParams.set("leaf", leaf);
    location.replace(page);
    return;
  }
  place.classList.add("target");
  place.scrollIntoView();
}

function value(row, position) {
  const cell = row.cells[position].querySelector("[title]") || row.cells[position];
  return cell.title || cell.textContent.trim();
}

// Sorts the rows that are loaded: numbers as such, what is missing last.
function sort(head) {
  const table = head.closest("table");
  const position = head.cellIndex;
  const up = head.getAttribute("aria-sort") !== "ascending";
  for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", up ? "ascending" : "descending");
  const body = table.tBodies[0];
  const rows = [...body.rows].map((row) => {
    const text = value(row, position);
    const missing = text === "NaN" || row.cells[position].querySelector(".null") !== null;
    const number = head.classList.contains("family-number") || head.classList.contains("number")
      ? Number(text) : NaN;
    return { row, missing, text, number };
  });
  rows.sort((one, other) => {
    if (one.missing !== other.missing) return one.missing ? 1 : -1;
    const less = Number.isNaN(one.number) || Number.isNaN(other.number)
      ? one.text.localeCompare(other.text, undefined, { numeric: true })
      : one.number - other.number;
    return up ? less : -less;
  });
  body.append(...rows.map((each) => each.row));
}

function search(field) {
  const text = field.value.toLowerCase();
  const tree = field.closest("[data-tree]");
  if (!tree) {
    for (const row of field.closest("[data-tabs]").querySelectorAll(".rows tbody tr")) {
      row.hidden = !row.textContent.toLowerCase().includes(text);
    }
    return;
  }
  for (const old of tree.querySelectorAll("mark")) old.replaceWith(...old.childNodes);
  let first = null;
  for (const part of tree.querySelectorAll(".key bdi, .scalar")) {
    if (!text || !part.textContent.toLowerCase().includes(text)) continue;
    const mark = document.createElement("mark");
    mark.append(...part.childNodes);
    part.append(mark);
    for (let up = part.closest("details"); up; up = up.parentNode.closest("details")) {
      up.open = true;
    }
    first = first || mark;
  }
  if (first) first.scrollIntoView({ block: "nearest" });
}

// The server draws; the page says which columns.
function draw(panel) {
  const bar = panel.querySelector("[data-chart]");
  const address = new URL(bar.dataset.chart, location.href);
  for (const field of bar.querySelectorAll("[data-axis]")) {
    if (field.value) address.searchParams.set(field.dataset.axis, field.value);
  }
  fillPart(panel.querySelector("[data-drawing]"), address);
}

function fillPart(body, address) {
  address.searchParams.set("view", "card");
  body.dataset.src = address;
  return fill(body, address);
}

function filter() {
  const found = new URL(location.href);
  found.searchParams.delete("start");
  for (const field of document.querySelectorAll("[data-filter]")) {
    if (field.value) found.searchParams.set(field.dataset.filter, field.value);
    else found.searchParams.delete(field.dataset.filter);
  }
  if (found.href !== location.href) location.href = found.href;
}

document.addEventListener("input", (event) => {
  if (event.target.matches("[data-search]")) search(event.target);
});

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-filter]")) filter();
  if (event.target.matches("[data-axis]")) draw(event.target.closest("[data-panel]"));
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy]");
  if (button) copy(button, button.dataset.copy);
  const share = event.target.closest("[data-copy-link]");
  if (share) copy(share, new URL(share.dataset.copyLink, location.href).href);
  const around = event.target.closest("a[data-top]");
  if (around) {
    event.preventDefault();
    clickAround(around, false);
  }
  const head = event.target.closest("[data-sort]");
  if (head) sort(head);
  const cell = event.target.closest(".rows tbody td");
  if (cell && !String(window.getSelection())) cell.classList.toggle("open");
  const fold = event.target.closest("[data-fold]");
  if (fold) {
    for (const node of fold.closest("[data-tree]").querySelectorAll("details")) {
      node.open = Boolean(fold.dataset.fold);
    }
  }
  const tab = event.target.closest("[data-tab]");
  if (tab) {
    const tabs = tab.closest("[data-tabs]");
    for (const other of tabs.querySelectorAll("[data-tab]")) {
      other.setAttribute("aria-pressed", String(other === tab));
    }
    for (const panel of tabs.querySelectorAll("[data-panel]")) {
      panel.hidden = panel.dataset.panel !== tab.dataset.tab;
      if (!panel.hidden && panel.querySelector("[data-drawing]:empty")) draw(panel);
    }
    for (const field of tabs.querySelectorAll("[data-search]")) {
      field.hidden = tab.dataset.tab !== "rows";
    }
  }
  const retry = event.target.closest("[data-retry]");
  if (retry) {
    const body = retry.closest("[data-src]");
    if (body) fill(body, body.dataset.src);
    else location.reload();
  }
  const link = event.target.closest("a[data-download]");
  if (link) {
    event.preventDefault();
    clickAround(link, true);
  }
  const part = event.target.closest("a[data-part]");
  if (part) {
    event.preventDefault();
    const body = part.closest(".body") || part.closest(".card").querySelector(".body");
    fillPart(body, new URL(part.href));
  }
});

followTheme();
showTimes(document);
document.querySelectorAll(".card").forEach(offerDownloads);
fillAll();
showTarget();
