"use strict";
// Draws the trace that stands in the page. Text of the trace goes into text nodes and the canvas
// only, never into markup.
(() => {
const byId = (id) => document.getElementById(id);
const [canvas, map, tip, filterBox] = ["diagram", "map", "tip", "filter"].map(byId);
const pen = canvas.getContext("2d"), mapPen = map.getContext("2d");
const clamp = (x, low, high) => Math.max(low, Math.min(high, x));

// ---- The trace, taken apart ---------------------------------------------------------------------

const events = [];
for (const line of byId("trace").textContent.split("\n")) {
  if (!line.trim()) continue;
  try {
    const event = JSON.parse(line);
    event._line = line.toLowerCase();
    events.push(event);
  } catch { /* counted where the page was made */ }
}
events.sort((a, b) => a.tyme - b.tyme || (a.seq ?? 0) - (b.seq ?? 0));
events.forEach((event, index) => { event._index = index; });
const first = events.length ? events[0].tyme : 0;
const last = Math.max(events.length ? events[events.length - 1].tyme : 0, first + 1000);

const OF_WORLD = new Set(["fault", "heal", "always", "sometimes", "reachable", "note", "probe-fault"]);
const DOERS = new Set(["enter", "recur", "clean", "cease", "abort", "exit"]);
const LIVES = new Set(["boot", "crash", "restart", "pause", "resume", "ended", "failed"]);
const PACKETS = new Set(["send", "recv", "drop"]);
const CONTROL = new Set(["syn", "synack", "fin", "rst", "ack"]);
const BEATS = new Set(["now", "wall", "poll", "woken", "ready", "mark"]);
const OF_NODES = new Set(["crash", "kill", "restart", "pause", "resume"]); // which have events of their own
const MOMENTS = new Set([...OF_NODES, "reset", "step", "spurious", "link", "release"]);
const kindOf = (what) => String(what ?? "").trim().split(/\s+/)[0];
const isBad = (event) => event.event === "always" || event.event === "failed";

const names = new Set();
for (const event of events) {
  if (typeof event.node === "string") names.add(event.node);
  else if (!OF_WORLD.has(event.event)) names.add("run");
  if (PACKETS.has(event.event)) for (const end of [event.to, event.from]) if (typeof end === "string") names.add(end);
}
if (!names.size) names.add("run");
const lanes = [...names].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
const laneOf = new Map(lanes.map((name, index) => [name, index]));
for (const event of events) {
  event._lane = laneOf.get(event.node ?? (OF_WORLD.has(event.event) ? "" : "run"));
}

// Messages: a send and what became of it; more than once where it was duplicated.
const messages = [], open = new Map();
for (const event of events) {
  if (event.event === "send") {
    const message = { send: event, ends: [] };
    open.set(event.id, message);
    messages.push(message);
  } else if (event.event === "recv" || event.event === "drop") {
    const message = open.get(event.id);
    if (message) { message.ends.push(event); event._message = message; }
  }
}

// Doers by lane, so that each has a row of its own where there is room.
const paths = lanes.map(() => new Map());
for (const event of events) {
  if (DOERS.has(event.event) && event._lane !== undefined) {
    const rows = paths[event._lane], path = event.path ?? "";
    if (!rows.has(path)) rows.set(path, rows.size);
    event._row = rows.get(path);
  }
}

// What is wrong with nodes, and with the world, from when to when.
const downs = [], bands = [], moments = [];
{
  const down = new Map();
  // As in the words on top: what a heal, or a later fault of the same kind, ends.
  const VALUED = { skew: 2, drift: 2, descriptors: 2, "short-io": 2, point: 2, flip: 3 };
  const subject = (what) => {
    const words = what.split(/\s+/).filter((word) => word && word !== "|" && word !== "->");
    return words.slice(0, VALUED[kindOf(what)] ?? words.length);
  };
  const ends = (what, fault) => {
    if (what === fault || what === "everything") return true;
    const network = ["partition", "isolate", "clog", "hold"].includes(kindOf(fault));
    const [kind, ...nodes] = subject(what), own = subject(fault);
    if (!kind || ((kind === "heal" || kind === "all") && !nodes.length)) return network;
    if (kind === "heal") return network && nodes.every((node) => own.includes(node)) && own.length <= 1 + nodes.length;
    if (kind === "release") return own[0] === "hold" && own.slice(1).join(" ") === nodes.join(" ");
    return !network && [kind, ...nodes].join(" ") === own.join(" ");
  };
  const end = (what, tyme) => {
    for (const band of bands) if (band.to === Infinity && ends(what, band.what)) band.to = tyme;
  };
  const close = (key, at) => {
    const band = down.get(key);
    if (band) { band.to = at; down.delete(key); }
  };
  for (const event of events) {
    const { event: kind, _lane: lane, tyme } = event;
    if (kind === "crash" || kind === "pause" || kind === "failed" || kind === "ended") {
      const band = { from: tyme, to: Infinity, lane, kind, event };
      close(`${kind} ${lane}`, tyme);
      down.set(`${kind} ${lane}`, band);
      if (lane !== undefined) downs.push(band);
    } else if (kind === "restart" || kind === "boot") {
      for (const what of ["crash", "failed", "ended", "pause"]) close(`${what} ${lane}`, tyme);
    } else if (kind === "resume") {
      close(`pause ${lane}`, tyme);
    } else if (kind === "fault") {
      const what = String(event.what ?? "");
      if (MOMENTS.has(kindOf(what))) moments.push(event);
      else {
        end(what, tyme);
        bands.push({ from: tyme, to: Infinity, what, event });
      }
    } else if (kind === "heal") {
      end(String(event.what ?? "").trim(), tyme);
    }
  }
  const rowEnds = [];
  for (const band of bands) {
    let row = rowEnds.findIndex((end) => end <= band.from);
    if (row < 0) row = rowEnds.length;
    rowEnds[row] = band.to;
    band.row = row;
    // Which lanes it concerns, and on which side of a partition.
    band.sides = new Map();
    const named = band.what.replace(/^\S+/, "").split("|");
    named.forEach((side, index) => {
      for (const word of side.split(/[\s,]+/)) if (laneOf.has(word)) band.sides.set(laneOf.get(word), index);
    });
    band.cuts = named.length > 1;
    const kind = band.what.split(/\s+/)[0];
    band.colour = { partition: "cut", isolate: "cut", clog: "clog", hold: "clog", skew: "clock", drift: "clock" }[kind] ?? "down";
  }
  bands.rows = Math.min(rowEnds.length, 6);
}

const restarts = new Set(events.filter((e) => e.event === "restart").map((e) => `${e._lane} ${e.tyme}`));
const isStory = (event) =>
  !(event.event === "boot" && restarts.has(`${event._lane} ${event.tyme}`)) &&
  !((event.event === "fault" || event.event === "heal") && OF_NODES.has(kindOf(event.what))) && isTold(event);
const isTold = (event) =>
  ["fault", "heal", "always", "note", "probe-fault", "abort", "sometimes", "reachable"].includes(event.event) ||
  (LIVES.has(event.event) && !(event.event === "boot" && event.tyme === first));
const story = events.filter(isStory);
const bads = events.filter(isBad);

// ---- Words --------------------------------------------------------------------------------------

const time = (nanos, digits = 3) => {
  const seconds = nanos / 1e9;
  if (last - first < 1e6) return `${seconds.toFixed(9)} s`;
  return `${(Math.floor(seconds * 10 ** digits) / 10 ** digits).toFixed(digits)} s`; // as the words on top
};
const duration = (nanos) =>
  nanos < 1e3 ? `${nanos} ns` : nanos < 1e6 ? `${(nanos / 1e3).toFixed(1)} µs`
    : nanos < 1e9 ? `${(nanos / 1e6).toFixed(1)} ms` : `${(nanos / 1e9).toFixed(2)} s`;
/// Many nodes in a row are their first two, their last, and how many.
const brief = (what) => !MANY.test(String(what).split(" ")[0]) ? String(what ?? "") : what.split("|").map((side) => {
  const words = side.trim().split(/\s+/), head = MANY.test(words[0]) ? 1 : 0;
  if (words.length - head <= 5) return words.join(" ");
  return `${words.slice(0, head + 2).join(" ")} … ${words[words.length - 1]} (${words.length - head} nodes)`;
}).join(" | ");
const MANY = /^(partition|clog|hold|isolate|heal)$/;
const say = (event) => {
  const who = event.node ?? "", by = event.path ? ` (${event.path})` : "";
  const of = who ? `${who}: ` : "";
  switch (event.event) {
    case "fault": return `Fault: ${brief(event.what)}`;
    case "heal": return `Healed: ${brief(String(event.what ?? "").replace(/^heal */, "")) || "the network"}`;
    case "boot": return `${who} started`;
    case "crash": return `${who} crashed`;
    case "restart": return `${who} started again`;
    case "pause": return `${who} stands still`;
    case "resume": return `${who} goes on`;
    case "ended": return `${who} ended${event.outcome ? `: ${event.outcome}` : ""}`;
    case "failed": return `${who} failed: ${event.why ?? ""}`;
    case "always": return `${of}the check “${event.name ?? ""}” did not hold${by}`;
    case "sometimes": return `${of}“${event.name ?? ""}” held for the first time${by}`;
    case "reachable": return `${of}“${event.name ?? ""}” was reached for the first time${by}`;
    case "probe-fault": return `${of}the fault point “${event.name ?? ""}” fired${by}`;
    case "note": return `${of}${event.text ?? ""}`;
    case "abort": return `${of}a doer failed${by}: ${event.why ?? ""}`;
    case "send": return `${who} sends ${event.kind ?? "something"} to ${event.to ?? "?"}`;
    case "recv": return `${who} receives ${event.kind ?? "something"} from ${event.from ?? "?"}`;
    case "drop": return `A message is lost: ${event.why ?? ""}`;
    default: return `${of}${event.event}${by}${typeof event.text === "string" ? ` ${event.text}` : ""}`;
  }
};

