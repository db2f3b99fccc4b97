// ---- What is looked at --------------------------------------------------------------------------

const view = { from: first, to: last, top: 0 };
const show = { messages: true, control: true, doers: true, streams: true, notes: true, faults: true };
let terms = [], here = -1, pinned = null;
const matches = (event) => terms.every(({ word, without }) => event._line.includes(word) !== without);
const messageMatches = (m) => !terms.length || matches(m.send) || m.ends.some(matches);

/// The moment, with as much around it as can be taken in.
function lookAt(tyme) {
  const at = events.findIndex((event) => event.tyme >= tyme);
  const index = at < 0 ? events.length - 1 : at;
  const from = events[Math.max(0, index - 150)]?.tyme ?? first;
  const to = events[Math.min(events.length - 1, index + 60)]?.tyme ?? last;
  const width = Math.max(Math.min(view.to - view.from, (to - from) * 1.15), 1000);
  view.from = tyme - width * 0.7;
  view.to = tyme + width * 0.3;
  settle();
}
function settle() {
  const width = clamp(view.to - view.from, 100, (last - first) * 1.08);
  const middle = (view.from + view.to) / 2, edge = (last - first) * 0.04;
  view.from = clamp(middle - width / 2, first - edge, Math.max(last + edge - width, first - edge));
  view.to = view.from + width;
  draw();
}
function whole() {
  const edge = (last - first) * 0.02;
  [view.from, view.to] = [first - edge, last + edge];
  settle();
}
/// At first: what led to the violation, or else the whole run.
function begin() {
  if (!bads.length || events.length < 300) return whole();
  const bad = bads[0], at = bad._index;
  const inForce = bands.filter((b) => b.from <= bad.tyme && b.to >= bad.tyme).map((b) => b.from)
    .concat(downs.filter((b) => b.from < bad.tyme && b.to >= bad.tyme).map((b) => b.from));
  const least = events[Math.max(0, at - 2500)].tyme, most = events[Math.max(0, at - 200)].tyme;
  view.from = clamp(Math.min(bad.tyme, ...inForce), least, most);
  const width = bad.tyme - view.from;
  view.from -= width * 0.06;
  view.to = bad.tyme + Math.max(width * 0.15, 1000);
  settle();
}
function zoom(factor, at) {
  view.from = at - (at - view.from) * factor;
  view.to = at + (view.to - at) * factor;
  settle();
}
function move(share) {
  const width = view.to - view.from;
  view.from += width * share;
  view.to += width * share;
  settle();
}

// ---- The diagram --------------------------------------------------------------------------------

const AXIS = 22, BAND = 17, LEAST_LANE = 9;
let colours = {}, size = { width: 0, height: 0 }, hits = [], gutter = 80, laneHeight = 20, top0 = 0;

function readColours() {
  const style = getComputedStyle(document.documentElement);
  for (const name of ["paper", "ink", "faint", "rule", "panel", "lane", "data", "dgram", "control", "lost", "bad",
    "bad-soft", "note", "note-soft", "doer", "down", "cut", "clog", "clock", "good", "side0", "side1", "side2", "side3"]) {
    colours[name] = style.getPropertyValue(`--${name}`).trim();
  }
}
function resize() {
  for (const [one, context] of [[canvas, pen], [map, mapPen]]) {
    const box = one.getBoundingClientRect(), ratio = window.devicePixelRatio || 1;
    one.width = Math.max(1, Math.round(box.width * ratio));
    one.height = Math.max(1, Math.round(box.height * ratio));
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    if (one === canvas) size = { width: box.width, height: box.height };
  }
  pen.font = "12px ui-monospace, monospace";
  if (lanes.length <= 8) pen.font = "600 14px ui-monospace, monospace";
  gutter = clamp(Math.max(...lanes.map((name) => pen.measureText(name).width)) + 18, 50, 180);
  if (lanes.length <= 8 && paths.some((rows) => rows.size)) gutter = Math.max(gutter, 112);
  top0 = AXIS + Math.max(bands.rows, moments.length ? 1 : 0) * BAND + 26;
  laneHeight = clamp((size.height - top0 - 6) / lanes.length, LEAST_LANE, 190);
  draw();
}
const x = (tyme) => gutter + ((tyme - view.from) / (view.to - view.from)) * (size.width - gutter);
const tymeAt = (px) => view.from + ((px - gutter) / (size.width - gutter)) * (view.to - view.from);
const laneTop = (lane) => top0 + lane * laneHeight - view.top;
const y = (lane) => laneTop(lane) + laneHeight * (laneHeight > 50 ? 0.42 : 0.5);
const visible = (from, to) => to >= view.from && from <= view.to;

function line(x1, y1, x2, y2) {
  pen.beginPath();
  pen.moveTo(x1, y1);
  pen.lineTo(x2, y2);
  pen.stroke();
}
function cross(cx, cy, r) {
  line(cx - r, cy - r, cx + r, cy + r);
  line(cx - r, cy + r, cx + r, cy - r);
}
/// As much of a text as there is room for; of a path, the end says more.
function cut(text, width, end = false) {
  if (pen.measureText(text).width <= width) return text;
  const part = (n) => (end ? `…${text.slice(text.length - n)}` : `${text.slice(0, n)}…`);
  let low = 0, high = text.length;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (pen.measureText(part(middle)).width <= width) low = middle; else high = middle - 1;
  }
  return low > 1 ? part(low) : "";
}

function draw() {
  if (!size.width) return;
  const most = Math.max(0, lanes.length * laneHeight + top0 + 6 - size.height);
  view.top = clamp(view.top, 0, most);
  hits = [];
  pen.globalAlpha = 1;
  pen.fillStyle = colours.paper;
  pen.fillRect(0, 0, size.width, size.height);
  pen.save();
  pen.beginPath();
  pen.rect(gutter, top0 - 22, size.width, size.height);
  pen.clip();
  drawSides();
  drawLeftOut();
  drawLanes();
  drawMessages();
  drawTicks();
  drawFlags();
  pen.restore();
  drawNames();
  drawAxis();
  drawBands();
  drawBads();
  drawMap();
}

/// Where messages and doers are left out, so that silence is not taken for it.
function drawLeftOut() {
  const [from, to] = (byId("trace").dataset.window || "").split(" ").map(Number);
  if (to === undefined) return;
  for (const [start, end] of [[view.from, from], [to, view.to]]) {
    if (end <= start || !visible(start, end)) continue;
    const [left, right] = [Math.max(x(start), gutter), Math.min(x(end), size.width)];
    pen.globalAlpha = 0.09;
    pen.fillStyle = colours.ink;
    pen.fillRect(left, top0, right - left, size.height);
    pen.globalAlpha = 1;
    pen.fillStyle = colours.note;
    pen.font = "12px system-ui, sans-serif";
    pen.fillText(cut("messages and doers are left out here", right - left - 16), left + 8, top0 - 6);
  }
}

/// The ground of a lane tells what concerns its node: the side of a partition, or a fault.
function drawSides() {
  if (!show.faults) return;
  for (const band of bands) {
    if (!visible(band.from, band.to)) continue;
    const [from, to] = [Math.max(x(band.from), gutter), Math.min(x(band.to), size.width)];
    for (const [lane, side] of band.sides) {
      pen.globalAlpha = band.cuts ? 0.17 : 0.1;
      pen.fillStyle = band.cuts ? colours[`side${side % 4}`] : colours[band.colour];
      pen.fillRect(from, laneTop(lane) + 1, to - from, laneHeight - 2);
    }
    pen.globalAlpha = 0.55;
    pen.strokeStyle = colours[band.colour];
    pen.setLineDash([3, 3]);
    for (const end of [band.from, band.to]) if (visible(end, end)) line(x(end), top0 - 22, x(end), size.height);
    pen.setLineDash([]);
  }
  pen.globalAlpha = 1;
}

function drawLanes() {
  pen.lineWidth = 1;
  for (let lane = 0; lane < lanes.length; lane++) {
    pen.strokeStyle = colours.rule;
    line(gutter, laneTop(lane + 1), size.width, laneTop(lane + 1));
    pen.strokeStyle = colours.lane;
    pen.lineWidth = laneHeight > 50 ? 2 : 1;
    line(gutter, y(lane), size.width, y(lane));
    pen.lineWidth = 1;
  }
  for (const band of downs) {
    if (!visible(band.from, band.to)) continue;
    const [from, to] = [Math.max(x(band.from), gutter), Math.min(x(band.to), size.width)];
    const height = Math.min(laneHeight - 3, 44), above = y(band.lane) - height / 2;
    pen.fillStyle = colours.paper;
    pen.fillRect(from, above, to - from, height);
    pen.save();
    pen.beginPath();
    pen.rect(from, above, to - from, height);
    pen.clip();
    pen.strokeStyle = pen.fillStyle = colours[band.kind === "failed" ? "bad" : "down"];
    pen.globalAlpha = band.kind === "ended" ? 0.25 : 0.55;
    const step = band.kind === "pause" ? 10 : 6;
    for (let at = from - height - ((from - height) % step); at < to; at += step) line(at, above + height, at + height, above);
    pen.globalAlpha = 1;
    pen.strokeRect(from, above, to - from, height);
    const word = { crash: "crashed", pause: "paused", failed: "failed", ended: "ended" }[band.kind];
    pen.font = "600 11px system-ui, sans-serif";
    const width = pen.measureText(word).width;
    if (to - from > width + 12 && height >= 12) {
      pen.fillStyle = colours.paper;
      pen.fillRect(from + 4, y(band.lane) - 7, width + 6, 14);
      pen.fillStyle = colours.ink;
      pen.fillText(word, from + 7, y(band.lane) + 4);
    }
    pen.restore();
    hits.push({ x: clamp(from, gutter, size.width), y: y(band.lane), far: 9, event: band.event });
  }
}

function drawMessages() {
  const seen = [];
  for (const m of messages) {
    const control = CONTROL.has(m.send.kind);
    if (!(control ? show.control : show.messages)) continue;
    const end = m.ends.length ? m.ends[m.ends.length - 1].tyme : m.send.tyme;
    if (!visible(m.send.tyme, Math.max(end, m.send.tyme + (view.to - view.from) * 0.02))) continue;
    if (messageMatches(m)) seen.push(m);
  }
  const strong = clamp(260 / Math.max(seen.length, 1), 0.14, 0.95);
  const labels = seen.length <= 40;
  for (const m of seen) {
    const { send } = m, to = laneOf.get(send.to), kind = send.kind;
    const colour = kind === "rst" ? "bad" : CONTROL.has(kind) ? "control" : kind === "dgram" ? "dgram" : "data";
    const [x1, y1] = [x(send.tyme), y(send._lane)];
    pen.setLineDash([]);
    pen.globalAlpha = strong;
    pen.strokeStyle = pen.fillStyle = colours[colour];
    pen.lineWidth = CONTROL.has(kind) || laneHeight < 30 ? 1 : 1.5;
    for (const end of m.ends.length ? m.ends : [undefined]) {
      const target = end?.event === "recv" ? end._lane : to;
      const aim = target === undefined ? y1 + 20 : y(target);
      if (end?.event === "recv") {
        arrow(x1, y1, x(end.tyme), aim);
        hits.push({ x: x1, y: y1, x2: x(end.tyme), y2: aim, far: 6, event: send, message: m });
        if (labels) label(`${kind ?? ""} ${send.bytes ?? ""}`.trim(), x1, y1, x(end.tyme), aim);
      } else {
        // Lost, or still on its way when the trace ends.
        const reach = end ? 0.55 : 0.3;
        const x2 = Math.max(end ? x(end.tyme) : x1, x1 + Math.min(5, Math.abs(aim - y1) * 0.2)), y2 = y1 + (aim - y1) * reach;
        pen.globalAlpha = end ? Math.max(strong, 0.5) : strong;
        pen.strokeStyle = colours[end ? "lost" : colour];
        pen.setLineDash(end ? [4, 3] : [1, 3]);
        line(x1, y1, x2, y2);
        pen.setLineDash([]);
        if (end) { pen.lineWidth = 1.8; cross(x2, y2, laneHeight < 30 ? 3 : 4); }
        hits.push({ x: x1, y: y1, x2, y2, far: 6, event: end ?? send, message: m });
        pen.strokeStyle = colours[colour];
        pen.globalAlpha = strong;
      }
    }
  }
  pen.globalAlpha = 1;
  pen.lineWidth = 1;
}
function arrow(x1, y1, x2, y2) {
  line(x1, y1, x2, y2);
  const length = Math.hypot(x2 - x1, y2 - y1);
  if (length < 10 || laneHeight < 18) return;
  const [ux, uy] = [(x2 - x1) / length, (y2 - y1) / length], head = 6;
  pen.beginPath();
  pen.moveTo(x2, y2);
  pen.lineTo(x2 - ux * head - uy * 3, y2 - uy * head + ux * 3);
  pen.lineTo(x2 - ux * head + uy * 3, y2 - uy * head - ux * 3);
  pen.fill();
}
function label(text, x1, y1, x2, y2) {
  const length = Math.hypot(x2 - x1, y2 - y1);
  pen.font = "10.5px ui-monospace, monospace";
  if (!text || length < pen.measureText(text).width + 30) return;
  pen.save();
  pen.globalAlpha = 1;
  pen.translate(x1 + (x2 - x1) * 0.35, y1 + (y2 - y1) * 0.35);
  let angle = Math.atan2(y2 - y1, x2 - x1);
  if (Math.abs(angle) > Math.PI / 2) angle += Math.PI;
  pen.rotate(angle);
  pen.textAlign = "center";
  pen.fillText(text, 0, -4);
  pen.restore();
}

/// Doers that ran, and what was done with sockets.
function drawTicks() {
  const roomy = laneHeight > 50, taken = [];
  for (const event of events) {
    if (event._lane === undefined || !visible(event.tyme, event.tyme)) continue;
    const doer = DOERS.has(event.event);
    if (!doer && (PACKETS.has(event.event) || LIVES.has(event.event) || OF_WORLD.has(event.event))) continue;
    if (!(doer ? show.doers : show.streams) || !matches(event)) continue;
    const [px, py] = [x(event.tyme), y(event._lane)];
    if (doer) {
      const most = Math.floor((laneHeight * 0.58 - 10) / 11);
      const under = roomy ? 9 + Math.min(event._row, Math.max(most - 1, 0)) * 11 : Math.min(laneHeight * 0.2, 4);
      const failed = event.event === "abort";
      pen.strokeStyle = pen.fillStyle = colours[failed ? "bad" : "doer"];
      if (event.event === "recur") {
        pen.globalAlpha = 0.75;
        line(px, py + under, px, py + under + (roomy ? 7 : 4));
        pen.globalAlpha = 1;
      } else {
        pen.beginPath();
        const back = event.event === "enter" ? 1 : -1;
        pen.moveTo(px - 3 * back, py + under);
        pen.lineTo(px + 4 * back, py + under + 3.5);
        pen.lineTo(px - 3 * back, py + under + 7);
        pen.fill();
        if (failed) { pen.lineWidth = 2; cross(px, py + under + 3, 5); pen.lineWidth = 1; }
      }
      hits.push({ x: px, y: py + under + 3, far: 5, event });
    } else {
      pen.strokeStyle = colours[["reset", "refused"].includes(event.event) ? "bad" : "ink"];
      pen.fillStyle = colours.paper;
      pen.beginPath();
      pen.arc(px, py, laneHeight > 30 ? 3.5 : 2.2, 0, 7);
      pen.fill();
      pen.stroke();
      hits.push({ x: px, y: py, far: 6, event });
      if (!roomy || paths[event._lane].size || BEATS.has(event.event) || (taken[event._lane] ?? -Infinity) > px - 3) continue;
      pen.font = "10px system-ui, sans-serif";
      pen.fillStyle = colours.faint;
      pen.fillText(event.event, px - 3, py + 15);
      taken[event._lane] = px + pen.measureText(event.event).width;
    }
  }
}

/// Notes, lives of nodes, marks: a flag, with its words where there is room.
function drawFlags() {
  const taken = new Map();
  for (const event of story) {
    if (event.event === "fault" || event.event === "heal" || isBad(event)) continue;
    if (!visible(event.tyme, event.tyme) || !matches(event)) continue;
    const life = LIVES.has(event.event), mark = event.event === "sometimes" || event.event === "reachable";
    if (!(life ? show.faults : show.notes)) continue;
    const lane = event._lane, px = x(event.tyme), py = lane === undefined ? top0 - 10 : y(lane);
    const colour = colours[life ? "down" : mark ? "good" : event.event === "note" ? "note" : "bad"];
    pen.fillStyle = pen.strokeStyle = colour;
    pen.beginPath();
    pen.moveTo(px, py - 5);
    pen.lineTo(px + 4, py);
    pen.lineTo(px, py + 5);
    pen.lineTo(px - 4, py);
    pen.fill();
    hits.push({ x: px, y: py, far: 8, event });
    if (life && event.event !== "boot" && event.event !== "restart" && event.event !== "resume") continue;
    pen.font = "11px system-ui, sans-serif";
    const text = cut(event.event === "note" ? String(event.text ?? "") : life ? event.event : String(event.name ?? event.event), 230);
    const width = pen.measureText(text).width;
    const rows = lane === undefined ? 1 : clamp(Math.floor((laneHeight * 0.42 - 6) / 15), 1, 4);
    const flat = lane !== undefined && laneHeight < 22;
    for (let row = 0; row < rows; row++) {
      const key = flat ? `${Math.floor(py / 15)}` : `${lane} ${row}`;
      const left = px + width + 16 > size.width ? px - width - 14 : px + 6;
      if ((taken.get(key) ?? -Infinity) > left) continue;
      taken.set(key, left + width + 8);
      const above = lane === undefined || flat ? py : py - 14 - row * 15;
      pen.globalAlpha = 0.92;
      pen.fillStyle = event.event === "note" ? colours["note-soft"] : colours.panel;
      pen.fillRect(left, above - 7, width + 8, 14);
      pen.globalAlpha = 0.5;
      if (lane !== undefined && !flat) line(px, py - 4, left < px ? px - 6 : px + 6, above + 5);
      pen.globalAlpha = 1;
      pen.fillStyle = colour;
      pen.fillText(text, left + 4, above + 4);
      break;
    }
  }
}

function drawNames() {
  pen.fillStyle = colours.panel;
  pen.fillRect(0, 0, gutter, size.height);
  pen.strokeStyle = colours.rule;
  line(gutter, 0, gutter, size.height);
  pen.save();
  pen.beginPath();
  pen.rect(0, top0 - 4, gutter, size.height);
  pen.clip();
  const every = Math.ceil(11 / laneHeight);
  for (let lane = 0; lane < lanes.length; lane += every) {
    pen.fillStyle = colours.ink;
    pen.font = `${laneHeight > 50 ? "600 14px" : laneHeight < 15 ? "10.5px" : "12px"} ui-monospace, monospace`;
    pen.fillText(cut(lanes[lane], gutter - 8), 8, y(lane) + 4);
    if (laneHeight > 50 && show.doers) {
      const most = Math.floor((laneHeight * 0.58 - 10) / 11);
      pen.font = "10px system-ui, sans-serif";
      pen.fillStyle = colours.doer;
      for (const [path, row] of paths[lane]) {
        if (row > most - 1) break;
        const text = row === most - 1 && paths[lane].size > most ? `and ${paths[lane].size - row} more` : path;
        pen.fillText(cut(text, gutter - 18, true), 14, y(lane) + 9 + row * 11 + 7);
      }
    }
  }
  pen.restore();
}

function drawAxis() {
  pen.fillStyle = colours.paper;
  pen.fillRect(gutter, 0, size.width, AXIS);
  pen.font = "11px system-ui, sans-serif";
  pen.fillStyle = colours.faint;
  pen.fillText("time", 8, 15);
  const rough = (view.to - view.from) / Math.max(2, (size.width - gutter) / 110);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough);
  const digits = clamp(9 - Math.floor(Math.log10(step)), 0, 9);
  for (let n = Math.ceil(view.from / step); n * step <= view.to; n++) {
    const px = x(n * step);
    pen.strokeStyle = colours.rule;
    line(px, AXIS - 5, px, AXIS);
    pen.fillText(`${((n * step) / 1e9).toFixed(digits)} s`, px + 3, 14);
  }
  line(0, AXIS, size.width, AXIS);
}

function drawBands() {
  if (!show.faults) return;
  pen.font = "11px system-ui, sans-serif";
  if (bands.length || moments.length) {
    pen.fillStyle = colours.faint;
    pen.fillText("faults", 8, AXIS + 13);
  }
  pen.save();
  pen.beginPath();
  pen.rect(gutter, AXIS, size.width, size.height);
  pen.clip();
  for (const band of bands) {
    if (band.row >= bands.rows || !visible(band.from, band.to) || !matches(band.event)) continue;
    const [from, to] = [Math.max(x(band.from), gutter), Math.max(Math.min(x(band.to), size.width), x(band.from) + 2)];
    const above = AXIS + 2 + band.row * BAND;
    pen.fillStyle = colours[band.colour];
    pen.globalAlpha = 0.25;
    pen.fillRect(from, above, to - from, BAND - 3);
    pen.globalAlpha = 1;
    pen.fillRect(from, above, 2, BAND - 3);
    // Beyond its end, if there is nothing.
    const next = bands.filter((other) => other.row === band.row && other.from > band.from).map((other) => x(other.from));
    pen.fillText(cut(brief(band.what), Math.min(...next, size.width) - from - 10), from + 6, above + 11);
    hits.push({ x: from, y: above + 7, x2: to, y2: above + 7, far: 7, event: band.event, over: band.to });
  }
  for (const event of moments) {
    if (!visible(event.tyme, event.tyme) || !matches(event)) continue;
    const px = x(event.tyme), py = AXIS + 9;
    pen.fillStyle = colours.down;
    pen.fillRect(px - 3, py - 3, 6, 6);
    hits.push({ x: px, y: py, far: 7, event });
  }
  pen.restore();
}

/// A check that did not hold goes through everything.
function drawBads() {
  let right = -Infinity;
  for (const [index, event] of bads.entries()) {
    if (!visible(event.tyme, event.tyme)) continue;
    const px = x(event.tyme);
    pen.strokeStyle = pen.fillStyle = colours.bad;
    pen.globalAlpha = index ? 0.45 : 0.9;
    pen.lineWidth = index ? 1 : 2;
    line(px, AXIS, px, size.height);
    pen.globalAlpha = 1;
    pen.lineWidth = 1;
    const py = event._lane === undefined ? top0 - 10 : y(event._lane);
    pen.beginPath();
    pen.arc(px, py, index ? 4 : 7, 0, 7);
    pen.fill();
    pen.strokeStyle = colours.paper;
    cross(px, py, index ? 1.5 : 3);
    hits.push({ x: px, y: py, far: 12, event });
    hits.push({ x: px, y: AXIS, x2: px, y2: size.height, far: 4, event });
    pen.font = "600 12px system-ui, sans-serif";
    const text = cut(event.event === "always" ? `violated: ${event.name ?? ""}` : say(event), 320);
    const width = pen.measureText(text).width + 12;
    const left = px + width + 6 > size.width ? px - width - 6 : px + 6;
    if (left < right) continue;
    right = left + width;
    pen.fillStyle = colours.bad;
    pen.fillRect(left, top0 - 20, width, 18);
    pen.fillStyle = colours.paper;
    pen.fillText(text, left + 6, top0 - 7);
  }
  if (here >= 0 && visible(story[here].tyme, story[here].tyme)) {
    pen.strokeStyle = colours.ink;
    pen.setLineDash([2, 3]);
    line(x(story[here].tyme), AXIS, x(story[here].tyme), size.height);
    pen.setLineDash([]);
  }
}

function drawMap() {
  const { width, height } = map.getBoundingClientRect();
  mapPen.fillStyle = colours.panel;
  mapPen.fillRect(0, 0, width, height);
  const at = (tyme) => ((tyme - first) / (last - first)) * (width - 2) + 1;
  const bins = new Float64Array(Math.max(1, Math.ceil(width / 2)));
  for (const event of events) bins[Math.min(bins.length - 1, Math.floor(at(event.tyme) / 2))]++;
  const most = Math.log1p(Math.max(...bins));
  mapPen.fillStyle = colours.lane;
  bins.forEach((n, i) => { if (n) { const h = 2 + (Math.log1p(n) / most) * (height - 12); mapPen.fillRect(i * 2, height - h, 1.5, h); } });
  for (const band of bands) {
    mapPen.fillStyle = colours[band.colour];
    mapPen.globalAlpha = 0.8;
    mapPen.fillRect(at(band.from), 1 + (band.row % 3) * 3, Math.max(at(Math.min(band.to, last)) - at(band.from), 2), 2);
  }
  mapPen.globalAlpha = 1;
  mapPen.fillStyle = colours.bad;
  for (const event of bads) mapPen.fillRect(at(event.tyme) - 1, 0, 2, height);
  mapPen.strokeStyle = colours.ink;
  mapPen.lineWidth = 1.5;
  const from = Math.max(at(view.from), 1), to = Math.min(at(view.to), width - 1);
  mapPen.strokeRect(from, 1, Math.max(to - from, 3), height - 2);
}

