"use strict";
// Follows the colours of Airflow's UI, which shows this page in a frame; fills the cards; copies and
// downloads, which the frame's sandbox would not let a plain link do.

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
  offerDownloads(body.closest(".card"));
}

// Not where there is nothing to be had.
function offerDownloads(card) {
  const nothing = card.querySelector("[data-nothing]") !== null;
  for (const link of card.querySelectorAll("[data-download]")) link.hidden = nothing;
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

async function copy(button) {
  const text = button.dataset.copy;
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

function download(link) {
  const home = (frame || window).document;
  const other = home.createElement("a");
  other.href = link.href;
  other.download = "";
  home.body.append(other);
  other.click();
  other.remove();
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy]");
  if (button) copy(button);
  const retry = event.target.closest("[data-retry]");
  if (retry) {
    const body = retry.closest("[data-src]");
    if (body) fill(body, body.dataset.src);
    else location.reload();
  }
  const link = event.target.closest("a[data-download]");
  if (link) {
    event.preventDefault();
    download(link);
  }
  const part = event.target.closest("a[data-part]");
  if (part) {
    event.preventDefault();
    const address = new URL(part.href);
    address.searchParams.set("view", "card");
    fill(part.closest(".body"), address);
  }
});

followTheme();
document.querySelectorAll(".card").forEach(offerDownloads);
fillAll();
