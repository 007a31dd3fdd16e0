"use strict";
// Pictures, filters and links of the report. Nothing is loaded; nothing is kept.
(() => {
  const tests = JSON.parse(document.getElementById("data").textContent);
  const detail = document.getElementById("detail");
  const figures = [];
  const OK = 0, REFUSED = 1, UNKNOWN = 2;
  // Above so many operations in sight a lane is drawn in bins.
  const SINGLE_MAX = 1500;
  const BINS = 16384;

  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const seconds = (ns) => (ns / 1e9).toFixed(ns < 1e9 ? 4 : 3) + " s";
  const say = (words) => {
    detail.textContent = words;
    detail.classList.toggle("shown", words !== "");
  };

  // Lanes of a run: operations of each client in order of time, and sums of them in bins, each
  // level of which has half as many as the one before.
  function prepare(test) {
    if (test.ready || !test.ops) return test;
    const lanes = new Map();
    for (const op of test.ops) {
      if (!lanes.has(op[1])) lanes.set(op[1], []);
      lanes.get(op[1]).push(op);
    }
    test.end = Math.max(test.end, 1);
    test.byId = new Map(test.ops.map((op) => [op[0], op]));
    test.markedSet = new Set(test.marked);
    test.prefixSet = new Set(test.prefix);
    test.lanes = [...lanes.keys()].sort((a, b) => a - b).map((process) => {
      const ops = lanes.get(process).sort((a, b) => a[2] - b[2]);
      const level = new Uint32Array(BINS * 3);
      for (const op of ops) {
        const bin = Math.min(BINS - 1, Math.floor((op[2] / test.end) * BINS));
        level[bin * 3 + op[4]] += 1;
      }
      const levels = [level];
      while (levels[levels.length - 1].length > 3) {
        const from = levels[levels.length - 1];
        const to = new Uint32Array(from.length / 2);
        for (let at = 0; at < to.length; at += 1) {
          const bin = Math.floor(at / 3), kind = at % 3;
          to[at] = from[bin * 6 + kind] + from[bin * 6 + 3 + kind];
        }
        levels.push(to);
      }
      let longest = 0;
      for (const op of ops) longest = Math.max(longest, until(test, op) - op[2]);
      return { process, ops, levels, longest };
    });
    test.ready = true;
    return test;
  }

  // Where nothing came back an operation is drawn to where its client went on.
  function until(test, op) {
    return op[3] >= 0 ? op[3] : Math.min(test.end, op[2] + 1e9);
  }

  function firstAfter(ops, at) {
    let low = 0, high = ops.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (ops[middle][2] < at) low = middle + 1; else high = middle;
    }
    return low;
  }

  class Figure {
    constructor(place, kind, test) {
      this.kind = kind;
      this.test = test;
      this.from = 0;
      this.to = test.end;
      this.chosen = null;
      this.only = -1;
      this.canvas = document.createElement("canvas");
      this.canvas.tabIndex = 0;
      this.canvas.setAttribute("role", "img");
      this.canvas.setAttribute("aria-label", this.title());
      place.append(this.bar(), this.canvas);
      this.listen();
      // Drawing changes the height, which must not be seen as another change of size.
      let wide = 0;
      new ResizeObserver(() => {
        if (place.clientWidth === wide) return;
        wide = place.clientWidth;
        requestAnimationFrame(() => this.draw());
      }).observe(place);
      this.draw();
    }

    title() {
      const { name, seed } = this.test;
      const what = { timeline: "Operations", space: "Space and time", curve: "How likely" };
      return `${what[this.kind]}, ${name}, seed ${seed}. Arrows move and zoom, n and p go from ` +
        "one operation of the finding to the next, 0 shows all.";
    }

    bar() {
      const bar = document.createElement("div");
      bar.className = "bar";
      this.label = document.createElement("span");
      bar.append(this.label);
      if (this.kind === "timeline") {
        const select = document.createElement("select");
        select.setAttribute("aria-label", "Which operations");
        for (const [value, words] of [[-1, "all operations"], [0, "acknowledged"],
          [1, "without effect"], [2, "unknown"], [3, "of the finding"]]) {
          select.append(new Option(words, value));
        }
        select.addEventListener("change", () => {
          this.only = Number(select.value);
          this.draw();
        });
        bar.append(select);
      }
      for (const [words, act] of [["+", () => this.zoom(0.5)], ["-", () => this.zoom(2)],
        ["all", () => this.show(0, this.test.end)]]) {
        const button = document.createElement("button");
        button.type = "button";
        button.textContent = words;
        button.addEventListener("click", act);
        bar.append(button);
      }
      return bar;
    }

    rows() {
      if (this.kind === "timeline") {
        return this.test.lanes.map((lane) => `client ${lane.process}`);
      }
      if (this.hosts) return this.hosts;
      const hosts = new Set();
      for (const line of this.test.lines) hosts.add(line[1]);
      for (const lead of this.test.leads) hosts.add(lead[1]);
      for (const op of this.test.ops) if (op[6]) hosts.add(op[6]);
      for (const window of this.test.windows) window[4].forEach((host) => hosts.add(host));
      hosts.delete("");
      const number = (name) => Number((name.match(/\d+$/) || [0])[0]);
      const servers = [...hosts].filter((name) => !/^c\d+$/.test(name));
      servers.sort((a, b) => number(a) - number(b) || (a < b ? -1 : 1));
      const clients = this.test.lanes.map((lane) => `c${lane.process}`);
      this.hosts = [...servers, ...clients];
      return this.hosts;
    }

    show(from, to) {
      const span = Math.max(1000, Math.min(this.test.end, to - from));
      this.from = Math.max(0, Math.min(from, this.test.end - span));
      this.to = this.from + span;
      this.draw();
    }

    zoom(by, at = (this.from + this.to) / 2) {
      this.show(at - (at - this.from) * by, at + (this.to - at) * by);
    }

    choose(op) {
      this.chosen = op;
      if (op) {
        if (op[2] < this.from || op[2] > this.to) {
          const span = Math.min(this.to - this.from, 2e9);
          this.show(op[2] - span / 2, op[2] + span / 2);
        }
        const known = this.test.markedSet.has(op[0]) ? "of the finding: " : "";
        say(`${known}operation ${op[0]}, ${seconds(op[2])}: ${op[5]}` +
          (op[6] ? `; answered by ${op[6]}` : ""));
      }
      this.draw();
    }

    x(at) { return this.left + ((at - this.from) / (this.to - this.from)) * this.width; }

    draw() {
      const { canvas } = this;
      const rows = this.kind === "curve" ? [] : this.rows();
      const step = rows.length > 24 ? 14 : 22;
      const height = this.kind === "curve" ? 220 : 34 + rows.length * step;
      const wide = canvas.parentElement.clientWidth;
      if (wide === 0) return;
      const scale = window.devicePixelRatio || 1;
      canvas.width = Math.round(wide * scale);
      canvas.height = Math.round(height * scale);
      canvas.style.height = `${height}px`;
      this.left = 76;
      this.width = wide - this.left - 12;
      this.top = 24;
      this.step = step;
      const pen = canvas.getContext("2d");
      pen.scale(scale, scale);
      pen.font = "11px system-ui, sans-serif";
      pen.fillStyle = css("--back");
      pen.fillRect(0, 0, wide, height);
      this.axis(pen, height);
      if (this.kind === "curve") this.curve(pen, height);
      else {
        this.windows(pen, rows, height);
        rows.forEach((name, place) => {
          pen.fillStyle = css("--soft");
          pen.fillText(name.slice(0, 11), 4, this.top + place * step + step / 2 + 4);
        });
        if (this.kind === "timeline") this.timeline(pen); else this.space(pen, rows);
      }
      this.label.textContent =
        `seed ${this.test.seed}, ${seconds(this.from)} to ${seconds(this.to)}` +
        (this.drawn === undefined ? "" : `, ${this.drawn}`);
    }

    axis(pen, height) {
      const span = this.to - this.from;
      const raw = span / 8, power = 10 ** Math.floor(Math.log10(raw));
      const tick = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= raw);
      pen.strokeStyle = css("--line");
      pen.fillStyle = css("--soft");
      for (let at = Math.ceil(this.from / tick) * tick; at <= this.to; at += tick) {
        const x = this.x(at);
        pen.beginPath();
        pen.moveTo(x, 16);
        pen.lineTo(x, height);
        pen.stroke();
        pen.fillText(seconds(at).replace(/\.?0+ s$/, " s"), x + 2, 12);
      }
    }

    windows(pen, rows, height) {
      pen.save();
      pen.beginPath();
      pen.rect(this.left, 16, this.width, height);
      pen.clip();
      for (const [, from, to, , hosts] of this.test.windows) {
        if (to < this.from || from > this.to) continue;
        pen.fillStyle = css("--fault");
        const x = this.x(from), wide = Math.max(1, this.x(to) - x);
        const places = hosts.map((host) => rows.indexOf(host)).filter((place) => place >= 0);
        if (this.kind === "timeline" || places.length === 0) pen.fillRect(x, 16, wide, height);
        for (const place of places) {
          pen.fillRect(x, this.top + place * this.step, wide, this.step);
        }
      }
      pen.restore();
    }

    colour(outcome) { return css(["--good", "--bad", "--doubt"][outcome]); }

    wanted(op) {
      if (this.only < 0) return true;
      return this.only === 3 ? this.test.markedSet.has(op[0]) : op[4] === this.only;
    }

    timeline(pen) {
      const colours = [0, 1, 2].map((outcome) => this.colour(outcome));
      const mark = css("--mark"), fore = css("--fore");
      let single = 0, binned = 0;
      pen.save();
      pen.beginPath();
      pen.rect(this.left, 16, this.width, 1e5);
      pen.clip();
      this.test.lanes.forEach((lane, place) => {
        const y = this.top + place * this.step + 3, tall = this.step - 6;
        const first = firstAfter(lane.ops, this.from - lane.longest);
        const last = firstAfter(lane.ops, this.to);
        if (last - first > SINGLE_MAX && this.only !== 3) {
          binned += last - first;
          this.bins(pen, lane, y, tall, colours);
          return;
        }
        for (let at = first; at < last; at += 1) {
          const op = lane.ops[at];
          const end = until(this.test, op);
          if (end < this.from || !this.wanted(op)) continue;
          single += 1;
          const x = this.x(op[2]), wide = Math.max(1.5, this.x(end) - x);
          pen.fillStyle = colours[op[4]];
          pen.globalAlpha = op[4] === UNKNOWN ? 0.45 : 0.8;
          pen.fillRect(x, y, wide, tall);
          pen.globalAlpha = 1;
        }
        pen.lineWidth = 1.5;
        for (let at = first; at < last; at += 1) {
          const op = lane.ops[at];
          const marked = this.test.markedSet.has(op[0]);
          if (!marked && !this.test.prefixSet.has(op[0]) && op !== this.chosen) continue;
          const x = this.x(op[2]), wide = Math.max(3, this.x(until(this.test, op)) - x);
          pen.strokeStyle = op === this.chosen ? fore : mark;
          pen.setLineDash(marked || op === this.chosen ? [] : [3, 2]);
          pen.strokeRect(x - 1, y - 1.5, wide + 2, tall + 3);
          pen.setLineDash([]);
        }
        pen.lineWidth = 1;
      });
      // In bins, too, the finding is to be seen.
      for (const id of this.test.markedSet) {
        const op = this.test.byId.get(id);
        if (!op) continue;
        const x = this.x(op[2]);
        pen.fillStyle = mark;
        pen.beginPath();
        pen.moveTo(x - 4, 16);
        pen.lineTo(x + 4, 16);
        pen.lineTo(x, 22);
        pen.fill();
      }
      pen.restore();
      this.drawn = binned > 0 ? `${binned} operations in bins` : `${single} operations`;
    }

    bins(pen, lane, y, tall, colours) {
      const perPixel = (this.to - this.from) / this.width / (this.test.end / BINS);
      const depth = Math.max(0, Math.min(lane.levels.length - 1, Math.floor(Math.log2(perPixel * 2))));
      const level = lane.levels[depth], bins = level.length / 3;
      const size = this.test.end / bins;
      const begin = Math.max(0, Math.floor(this.from / size));
      const end = Math.min(bins, Math.ceil(this.to / size));
      let most = 1;
      for (let bin = begin; bin < end; bin += 1) {
        most = Math.max(most, level[bin * 3] + level[bin * 3 + 1] + level[bin * 3 + 2]);
      }
      for (let bin = begin; bin < end; bin += 1) {
        let low = y + tall;
        const x = this.x(bin * size), wide = Math.max(1, this.x((bin + 1) * size) - x);
        for (const outcome of [OK, REFUSED, UNKNOWN]) {
          if (this.only >= 0 && this.only !== outcome) continue;
          const share = (level[bin * 3 + outcome] / most) * tall;
          if (share === 0) continue;
          pen.fillStyle = colours[outcome];
          low -= share;
          pen.fillRect(x, low, wide, share);
        }
      }
    }

    space(pen, rows) {
      const middle = (place) => this.top + place * this.step + this.step / 2;
      const place = new Map(rows.map((name, at) => [name, at]));
      pen.strokeStyle = css("--line");
      rows.forEach((_, at) => {
        pen.beginPath();
        pen.moveTo(this.left, middle(at));
        pen.lineTo(this.left + this.width, middle(at));
        pen.stroke();
      });
      pen.save();
      pen.beginPath();
      pen.rect(this.left, 16, this.width, 1e5);
      pen.clip();
      let count = 0;
      const all = [];
      for (const lane of this.test.lanes) {
        const first = firstAfter(lane.ops, this.from - lane.longest);
        const last = firstAfter(lane.ops, this.to);
        // Of many, an even share: a picture has only so many pixels.
        const stride = Math.max(1, Math.ceil((last - first) / SINGLE_MAX));
        for (let at = first; at < last; at += 1) {
          const op = lane.ops[at];
          if (at % stride === 0 || this.test.markedSet.has(op[0])) all.push(op);
        }
      }
      for (const op of all) {
        const from = place.get(`c${op[1]}`), to = place.get(op[6]);
        if (from === undefined) continue;
        count += 1;
        const marked = this.test.markedSet.has(op[0]);
        pen.strokeStyle = marked ? css("--mark") : this.colour(op[4]);
        pen.globalAlpha = marked ? 1 : 0.45;
        pen.lineWidth = marked ? 2 : 1;
        const end = until(this.test, op), half = (op[2] + end) / 2;
        pen.beginPath();
        pen.moveTo(this.x(op[2]), middle(from));
        if (to !== undefined) pen.lineTo(this.x(half), middle(to));
        pen.lineTo(this.x(end), middle(from));
        pen.stroke();
      }
      pen.globalAlpha = 1;
      pen.lineWidth = 1;
      for (const [at, node, level] of this.test.lines) {
        if (at < this.from || at > this.to || !place.has(node)) continue;
        pen.fillStyle = /WARN|ERROR/.test(level) ? css("--bad") : css("--soft");
        pen.fillRect(this.x(at) - 1, middle(place.get(node)) - 3, 2, 6);
      }
      for (const [at, node, term] of this.test.leads) {
        if (at < this.from || at > this.to || !place.has(node)) continue;
        const x = this.x(at), y = middle(place.get(node));
        pen.fillStyle = css("--link");
        pen.beginPath();
        pen.arc(x, y, 4, 0, 7);
        pen.fill();
        pen.fillText(`leads ${term}`, x + 5, y - 4);
      }
      pen.restore();
      this.drawn = `${count} operations, ${this.test.lines.length} log lines`;
    }

    curve(pen, height) {
      const { points, jump } = this.test.curve;
      const y = (permille) => 24 + (1 - permille / 1000) * (height - 34);
      pen.fillStyle = css("--soft");
      for (const share of [0, 500, 1000]) pen.fillText(`${share / 10} %`, 30, y(share) + 4);
      if (jump) {
        pen.fillStyle = css("--fault");
        pen.fillRect(this.x(jump[0]), 16, Math.max(2, this.x(jump[1]) - this.x(jump[0])), height);
      }
      pen.fillStyle = css("--line");
      pen.globalAlpha = 0.7;
      pen.beginPath();
      points.forEach((p) => pen.lineTo(this.x(p[0]), y(p[4])));
      [...points].reverse().forEach((p) => pen.lineTo(this.x(p[0]), y(p[3])));
      pen.fill();
      pen.globalAlpha = 1;
      pen.strokeStyle = css("--bad");
      pen.lineWidth = 2;
      pen.beginPath();
      points.forEach((p) => pen.lineTo(this.x(p[0]), y(p[1] ? (p[2] * 1000) / p[1] : 0)));
      pen.stroke();
      pen.lineWidth = 1;
      this.drawn = "P(it fails | the same until then), with its 95 % band";
    }

    at(event) {
      const box = this.canvas.getBoundingClientRect();
      const x = event.clientX - box.left, y = event.clientY - box.top;
      const time = this.from + ((x - this.left) / this.width) * (this.to - this.from);
      return { time, row: Math.floor((y - this.top) / this.step) };
    }

    pick(event) {
      const { time, row } = this.at(event);
      const slack = ((this.to - this.from) / this.width) * 4;
      if (this.kind === "timeline") {
        const lane = this.test.lanes[row];
        if (!lane) return;
        const near = lane.ops.filter((op) =>
          op[2] <= time + slack && until(this.test, op) >= time - slack);
        this.choose(near.find((op) => this.test.markedSet.has(op[0])) || near.pop() || null);
      } else if (this.kind === "space") {
        const host = this.rows()[row];
        const near = this.test.lines.filter((line) =>
          line[1] === host && Math.abs(line[0] - time) <= slack * 2);
        const faults = this.test.windows.filter((window) =>
          window[1] <= time && time <= window[2] && window[4].includes(host));
        say([...faults.map((window) => `${window[3]} ${window[0]}`),
          ...near.slice(0, 8).map((line) => `${seconds(line[0])} ${line[1]} ${line[3]}`)]
          .join("\n"));
      }
    }

    next(by) {
      const marked = this.test.marked.map((id) => this.test.byId.get(id)).filter(Boolean);
      marked.sort((a, b) => a[2] - b[2]);
      if (marked.length === 0) return;
      const place = marked.indexOf(this.chosen);
      const to = place < 0 ? (by > 0 ? 0 : marked.length - 1) : place + by;
      this.choose(marked[(to + marked.length) % marked.length]);
    }

    listen() {
      const { canvas } = this;
      canvas.addEventListener("wheel", (event) => {
        if (!event.ctrlKey && document.activeElement !== canvas) return;
        event.preventDefault();
        this.zoom(event.deltaY > 0 ? 1.25 : 0.8, this.at(event).time);
      }, { passive: false });
      let drag = null;
      canvas.addEventListener("pointerdown", (event) => {
        drag = { x: event.clientX, from: this.from, moved: false };
        canvas.setPointerCapture(event.pointerId);
      });
      canvas.addEventListener("pointermove", (event) => {
        if (!drag) return;
        const by = event.clientX - drag.x;
        drag.moved ||= Math.abs(by) > 3;
        const span = this.to - this.from;
        if (drag.moved) {
          const from = drag.from - (by / this.width) * span;
          this.show(from, from + span);
        }
      });
      canvas.addEventListener("pointerup", (event) => {
        if (drag && !drag.moved) this.pick(event);
        drag = null;
      });
      canvas.addEventListener("keydown", (event) => {
        const span = this.to - this.from;
        const acts = {
          ArrowLeft: () => this.show(this.from - span / 5, this.to - span / 5),
          ArrowRight: () => this.show(this.from + span / 5, this.to + span / 5),
          ArrowUp: () => this.zoom(0.5),
          ArrowDown: () => this.zoom(2),
          "+": () => this.zoom(0.5),
          "-": () => this.zoom(2),
          0: () => this.show(0, this.test.end),
          n: () => this.next(1),
          p: () => this.next(-1),
          Escape: () => { this.chosen = null; say(""); this.draw(); },
        };
        if (acts[event.key]) {
          event.preventDefault();
          acts[event.key]();
        }
      });
    }
  }

  for (const place of document.querySelectorAll(".figure")) {
    const test = tests[Number(place.dataset.test)];
    const { figure } = place.dataset;
    if (!test || test.seed === null || (figure === "curve" && !test.curve)) continue;
    figures.push(new Figure(place, figure, prepare(test)));
  }

  // `#op-2-17` is operation 17 of test 2.
  function follow() {
    const found = location.hash.match(/^#op-(\d+)-(\d+)$/);
    if (!found) return;
    const test = tests[Number(found[1])];
    const figure = figures.find((one) => one.test === test && one.kind === "timeline");
    const op = figure && test.byId.get(Number(found[2]));
    if (!op) return;
    figure.canvas.scrollIntoView({ block: "center" });
    figure.canvas.focus({ preventScroll: true });
    figure.show(op[2] - 5e8, op[2] + 5e8);
    figure.choose(op);
  }
  window.addEventListener("hashchange", follow);

  const filter = document.getElementById("filter");
  const filtered = document.getElementById("filtered");
  filter.addEventListener("input", () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0, all = 0;
    for (const row of document.querySelectorAll("tbody tr")) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      all += 1;
      shown += row.hidden ? 0 : 1;
    }
    filtered.textContent = words.length ? `${shown} of ${all} rows` : "";
  });

  const redraw = () => figures.forEach((figure) => figure.draw());
  const turn = () => {
    const root = document.documentElement;
    const dark = root.dataset.theme
      ? root.dataset.theme === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    redraw();
  };
  document.getElementById("theme").addEventListener("click", turn);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  document.addEventListener("keydown", (event) => {
    if (/INPUT|SELECT/.test(event.target.tagName) || event.ctrlKey || event.metaKey) return;
    if (event.key === "/") {
      event.preventDefault();
      filter.focus();
    } else if (event.key === "d") turn();
  });
  // For whoever tests the page, and for the curious.
  window.report = { tests, figures };
  follow();
})();
