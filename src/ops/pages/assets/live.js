/**
 * Keeps a page up to date: the server says that something changed, the page asks for itself again and takes over
 * what is in #live. Orders are given without leaving the page. Everything works without this script, by reloading.
 */
const main = document.querySelector("#main");
const said = document.querySelector("#said");
const study = main.dataset.study;
const REST_MS = 1000;

let timer;
let isAsking = false;

function soon() {
  timer ??= setTimeout(refresh, REST_MS);
}

async function refresh() {
  timer = undefined;
  if (isAsking || isBusy()) return soon();
  isAsking = true;
  try {
    const answer = await fetch(location.href, { headers: { accept: "text/html" } });
    if (answer.redirected) return location.reload();
    if (answer.ok) take(new DOMParser().parseFromString(await answer.text(), "text/html"));
  } catch {
    // the node is away; the event stream comes back when it does
  } finally {
    isAsking = false;
  }
}

/** Somebody fills in a form: nothing may move under his hands. */
function isBusy() {
  return Boolean(document.activeElement?.closest("#live .filters"));
}

function take(fresh) {
  const [old, next] = [document.querySelector("#live"), fresh.querySelector("#live")];
  if (!next || old.innerHTML === next.innerHTML) return;
  const focused = labelOf(document.activeElement);
  const open = new Set([...old.querySelectorAll("details[open]")].map(({ id }) => id));
  for (const details of next.querySelectorAll("details")) details.open = open.has(details.id);
  old.replaceWith(next);
  if (focused)
    [...next.querySelectorAll("a, button, summary")].find((one) => labelOf(one) === focused)?.focus();
  const nav = fresh.querySelector("header nav");
  if (nav && !document.activeElement?.closest("header nav"))
    document.querySelector("header nav").replaceWith(nav);
}

function labelOf(element) {
  return element?.matches?.("#live a, #live button, #live summary")
    ? `${element.tagName} ${element.getAttribute("aria-label") ?? element.textContent}`
    : undefined;
}

document.addEventListener("submit", (event) => {
  if (!event.target.dataset.order) return;
  event.preventDefault();
  void order(event.target);
});

async function order(form) {
  if ("grave" in form.dataset && !confirm(`${form.dataset.order}?`)) return;
  try {
    const answer = await fetch(form.action, { method: "POST" });
    said.textContent = answer.ok ? `Done. ${form.dataset.order}` : `Refused: ${(await answer.json()).error}`;
    if (!answer.ok) alert(said.textContent);
  } catch {
    said.textContent = "The node does not answer.";
  }
  soon();
}

const events = new EventSource("/api/v1/events");
events.addEventListener("change", ({ data }) => {
  const { studyUid } = JSON.parse(data);
  if (study === undefined || studyUid === study || studyUid === undefined) soon();
});
addEventListener("pagehide", () => events.close());
