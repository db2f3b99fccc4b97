// ---- Pointing -----------------------------------------------------------------------------------

function distance(hit, px, py) {
  if (hit.x2 === undefined) return Math.hypot(hit.x - px, hit.y - py);
  const [dx, dy] = [hit.x2 - hit.x, hit.y2 - hit.y], length = dx * dx + dy * dy;
  const share = length ? clamp(((px - hit.x) * dx + (py - hit.y) * dy) / length, 0, 1) : 0;
  return Math.hypot(hit.x + share * dx - px, hit.y + share * dy - py);
}
function nearest(px, py) {
  let best = null, least = Infinity;
  for (const hit of hits) {
    const far = distance(hit, px, py);
    // Points lie on lines: they are the smaller aim.
    const measure = far - (hit.x2 === undefined ? 3 : 0);
    if (far <= hit.far && measure < least) [best, least] = [hit, measure];
  }
  return best;
}
function row(table, name, value) {
  const line = table.insertRow();
  line.insertCell().textContent = name;
  line.insertCell().textContent = value;
}
function tell(hit, px, py) {
  tip.replaceChildren();
  const { event, message } = hit, head = document.createElement("b"), table = document.createElement("table");
  head.textContent = say(event);
  if (message) {
    const { send, ends } = message;
    head.textContent = `${send.node ?? "?"} → ${send.to ?? "?"}: ${send.kind ?? "message"}, ${send.bytes ?? "?"} bytes`;
    row(table, "sent", time(send.tyme, 6));
    for (const end of ends) {
      const took = duration(end.tyme - send.tyme);
      row(table, end.event === "recv" ? "arrived" : "lost", `${time(end.tyme, 6)} (after ${took})${end.why ? `, by ${end.why}` : ""}`);
    }
    if (!ends.length) row(table, "arrived", "not in this trace");
    row(table, "id", send.id ?? "");
  } else {
    row(table, "time", time(event.tyme, 6));
    if (hit.over !== undefined) row(table, "until", hit.over === Infinity ? "the end" : time(hit.over, 6));
    for (const [name, value] of Object.entries(event)) {
      if (!name.startsWith("_") && name !== "tyme") row(table, name, typeof value === "object" ? JSON.stringify(value) : String(value));
    }
  }
  tip.append(head, table);
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  tip.style.left = `${clamp(px + 14, 0, Math.max(0, size.width - box.width - 4))}px`;
  tip.style.top = `${py + 16 + box.height > size.height ? Math.max(0, py - box.height - 10) : py + 16}px`;
}
function unpin() {
  pinned = null;
  tip.classList.remove("pinned");
  tip.hidden = true;
}

let drag = null;
canvas.addEventListener("pointerdown", (e) => {
  canvas.focus({ preventScroll: true });
  canvas.setPointerCapture(e.pointerId);
  drag = { x: e.offsetX, y: e.offsetY, from: view.from, to: view.to, top: view.top, moved: false };
});
canvas.addEventListener("pointermove", (e) => {
  if (drag) {
    drag.moved ||= Math.hypot(e.offsetX - drag.x, e.offsetY - drag.y) > 4;
    if (!drag.moved) return;
    canvas.classList.add("dragging");
    const by = ((drag.x - e.offsetX) / (size.width - gutter)) * (drag.to - drag.from);
    [view.from, view.to, view.top] = [drag.from + by, drag.to + by, drag.top + drag.y - e.offsetY];
    return settle();
  }
  if (pinned) return;
  const hit = nearest(e.offsetX, e.offsetY);
  if (hit) tell(hit, e.offsetX, e.offsetY); else tip.hidden = true;
});
canvas.addEventListener("pointerup", (e) => {
  canvas.classList.remove("dragging");
  const moved = drag?.moved;
  drag = null;
  if (moved) return;
  unpin();
  const hit = nearest(e.offsetX, e.offsetY);
  if (!hit) return;
  tell(hit, e.offsetX, e.offsetY);
  pinned = hit;
  tip.classList.add("pinned");
});
canvas.addEventListener("pointerleave", () => { if (!pinned) tip.hidden = true; });
canvas.addEventListener("wheel", (e) => {
  e.preventDefault();
  unpin();
  if (e.shiftKey || Math.abs(e.deltaX) > Math.abs(e.deltaY)) move((e.deltaX || e.deltaY) / 1000);
  else zoom(1.0015 ** clamp(e.deltaY, -400, 400), tymeAt(Math.max(e.offsetX, gutter)));
}, { passive: false });

const onMap = (e) => {
  const tyme = first + (e.offsetX / map.clientWidth) * (last - first), width = view.to - view.from;
  [view.from, view.to] = [tyme - width / 2, tyme + width / 2];
  settle();
};
map.addEventListener("pointerdown", (e) => { map.setPointerCapture(e.pointerId); onMap(e); });
map.addEventListener("pointermove", (e) => { if (e.buttons) onMap(e); });

// ---- Story, filter, keys ------------------------------------------------------------------------

const STORY_MOST = 2000;
function tellStory() {
  const list = byId("story"), items = [];
  const wanted = story.filter(matches);
  for (const event of wanted.slice(0, STORY_MOST)) {
    // The same of many nodes at once is one line.
    const same = items[items.length - 1]?.told, what = `${event.tyme} ${event.event} ${event.outcome ?? ""}`;
    if (LIVES.has(event.event) && same?.what === what) {
      same.nodes.push(event.node);
      same.text.data = `${same.nodes.length} nodes: ${same.first}, … ${say(event)}`;
      continue;
    }
    const item = document.createElement("li"), when = document.createElement("time");
    if (/^[a-z-]+$/.test(event.event)) item.classList.add(event.event);
    when.textContent = time(event.tyme);
    const text = document.createTextNode(say(event));
    item.append(when, text);
    item.told = { what, text, first: event.node, nodes: [event.node] };
    item.addEventListener("click", () => visit(story.indexOf(event)));
    item.dataset.at = String(event._index);
    items.push(item);
  }
  if (!wanted.length || wanted.length > STORY_MOST) {
    const more = document.createElement("li");
    more.className = "more";
    more.textContent = wanted.length ? `and ${wanted.length - STORY_MOST} more: filter to see them` : "Nothing but messages and doers.";
    items.push(more);
  }
  list.replaceChildren(...items);
}
function visit(index) {
  if (!story.length) return;
  here = clamp(index, 0, story.length - 1);
  for (const item of byId("story").children) {
    const is = item.dataset.at === String(story[here]._index);
    item.classList.toggle("here", is);
    if (is) item.scrollIntoView({ block: "nearest" });
  }
  unpin();
  lookAt(story[here].tyme);
}
const toBad = () => { if (bads.length) visit(story.indexOf(bads[0])); };
function refilter() {
  terms = filterBox.value.toLowerCase().split(/\s+/).filter((word) => word && word !== "-")
    .map((word) => ({ word: word.replace(/^-/, ""), without: word.startsWith("-") }));
  tellStory();
  draw();
}
filterBox.addEventListener("input", refilter);

for (const [name, words, colour] of [["messages", "messages", "data"], ["control", "connects and acks", "control"],
  ["doers", "doers", "doer"], ["streams", "sockets", "ink"], ["notes", "notes", "note"], ["faults", "faults", "cut"]]) {
  const box = document.createElement("label"), check = document.createElement("input"), swatch = document.createElement("i");
  check.type = "checkbox";
  check.checked = show[name];
  check.addEventListener("change", () => { show[name] = check.checked; draw(); });
  swatch.style.background = `var(--${colour})`;
  box.append(check, swatch, words);
  byId("toggles").append(box);
}
const middle = () => (view.from + view.to) / 2;
const help = () => { byId("help").hidden = !byId("help").hidden; resize(); };
byId("fit").addEventListener("click", whole);
byId("in").addEventListener("click", () => zoom(0.5, middle()));
byId("out").addEventListener("click", () => zoom(2, middle()));
byId("bad").addEventListener("click", toBad);
byId("bad").disabled = !bads.length;
byId("helper").addEventListener("click", help);
for (const button of document.querySelectorAll("[data-jump]")) {
  button.addEventListener("click", () => {
    const index = story.findIndex((event) => event.tyme === Number(button.dataset.jump));
    if (index >= 0) visit(index); else lookAt(Number(button.dataset.jump));
  });
}
document.addEventListener("keydown", (e) => {
  if (e.target === filterBox) {
    if (e.key === "Escape") { filterBox.value = ""; refilter(); canvas.focus(); }
    return;
  }
  if (e.ctrlKey || e.metaKey || e.altKey) return;
  const keys = {
    "+": () => zoom(0.5, middle()), "=": () => zoom(0.5, middle()), "-": () => zoom(2, middle()), "0": whole,
    ArrowLeft: () => move(-0.2), ArrowRight: () => move(0.2),
    ArrowUp: () => { view.top -= 60; draw(); }, ArrowDown: () => { view.top += 60; draw(); },
    v: toBad, n: () => visit(here + 1), p: () => visit(here < 0 ? 0 : here - 1),
    "/": () => filterBox.focus(), "?": help, Escape: unpin,
  };
  const act = keys[e.key];
  if (act) { e.preventDefault(); act(); }
});
window.addEventListener("resize", resize);
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { readColours(); draw(); });

readColours();
tellStory();
resize();
begin();
// For whoever looks without eyes.
document.documentElement.dataset.drawn = `${lanes.length} lanes ${messages.length} messages ${story.length} story ${hits.length} marks`;
})();
