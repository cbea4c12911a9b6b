"use strict";
// Draws the charts of a run over time.
(() => {
  const data = JSON.parse(document.getElementById("chart-data").textContent);
  const last = data.seconds.length - 1;
  const view = { from: 0, to: Math.max(last, 1), at: null, log: false };
  // The names of phases stand in two rows above the plot.
  const box = { left: 58, right: 10, top: data.markers.length ? 28 : 10, bottom: 22, height: 200 };
  const { units, steps, moments, html, svg } = basics;

  // ---- time: since the start of a run, or by the calendar where the data say when they began -----------------------
  const calendar = data.began_s !== undefined;
  // What is added to a second to count from a midnight of this place.
  const shift = calendar ? data.began_s - new Date(data.began_s * 1000).getTimezoneOffset() * 60 : 0;
  const day = (second) => new Date((second + shift) * 1000).toISOString().slice(5, 10);
  const hour = (second) => new Date((second + shift) * 1000).toISOString().slice(11, 16);
  const clock = (second) => (calendar ? day(second) + " " + hour(second) : basics.clock(second));
  const tickName = (second) => (!calendar ? clock(second) : hour(second) === "00:00" ? day(second) : hour(second));
  const ticksOf = (from, to, count) => moments(from + shift, to + shift, count).map((second) => second - shift);

  // ---- scales -----------------------------------------------------------------------------------------------------
  const vertical = (chart, lines) => {
    const values = lines.flatMap((line) => line.values.slice(view.from, view.to + 1)).filter((value) => value !== null);
    const inner = box.height - box.top - box.bottom;
    const log = view.log && chart.unit === "ms" && values.some((value) => value > 0);
    if (log) {
      const low = 10 ** Math.floor(Math.log10(Math.min(...values.filter((value) => value > 0))));
      const high = 10 ** Math.ceil(Math.log10(Math.max(...values) * 1.05));
      const ticks = [];
      for (let at = low; at <= high * 1.001; at *= 10) ticks.push(at);
      return { high, ticks, y: (value) => box.top + inner * (1 - Math.log10(Math.max(value, low) / low) / Math.log10(high / low)) };
    }
    const top = Math.max(0, ...values) || 1;
    const ticks = steps(0, top * 1.08, 4);
    const high = Math.max(top * 1.08, ticks[ticks.length - 1]);
    return { high, ticks, y: (value) => box.top + inner * (1 - value / high) };
  };
  const horizontal = (width) => {
    const inner = Math.max(width - box.left - box.right, 1);
    return {
      x: (index) => box.left + (inner * (index - view.from)) / (view.to - view.from),
      index: (x) => Math.max(view.from, Math.min(view.to, Math.round(view.from + ((x - box.left) / inner) * (view.to - view.from)))),
    };
  };

  // ---- one chart --------------------------------------------------------------------------------------------------
  const charts = [...document.querySelectorAll(".chart[data-chart]")].map((figure) => {
    const chart = data.charts.find((one) => one.id === figure.dataset.chart);
    const hidden = new Set();
    const canvas = svg(figure, "svg", { tabindex: 0, role: "img", "aria-label": chart.title + " over time" });
    const legend = figure.appendChild(html("div", "legend"));
    const tip = figure.appendChild(html("div", "tip"));
    tip.hidden = true;
    const shown = () => chart.lines.filter((line) => !hidden.has(line.name));
    return { figure, chart, hidden, canvas, legend, tip, shown, scale: null, cursor: null };
  });

  const drawAxes = ({ canvas, chart }, width, along, up) => {
    const bottom = box.height - box.bottom;
    const indexAt = (second) => second / data.step_s;
    const shade = (from, to) => {
      const [left, right] = [Math.max(from, view.from), Math.min(to, view.to)].map(along.x);
      if (right > left) svg(canvas, "rect", { class: "shade", x: left, y: box.top, width: right - left, height: bottom - box.top });
    };
    shade(0, indexAt(data.window.start_s));
    shade(indexAt(data.window.end_s), last);
    const free = [box.left, box.left]; // where the two rows of names have room
    for (const marker of data.markers) {
      if (marker.of && !chart.id.startsWith(marker.of)) continue;
      const x = along.x(indexAt(marker.second));
      if (x < box.left || x > width - box.right) continue;
      svg(svg(canvas, "line", { class: "marker", x1: x, x2: x, y1: 2, y2: bottom }), "title", {}, marker.name);
      const row = x < free[0] ? 1 : 0;
      const name = svg(canvas, "text", { x: x + 3, y: 10 + 11 * row, class: "marker-name" }, marker.name);
      const end = x + 3 + name.getComputedTextLength();
      if (x < free[row] || end > width - box.right + 4) name.remove();
      else free[row] = end + 6;
    }
    for (const value of up.ticks) {
      svg(canvas, "line", { class: "grid", x1: box.left, x2: width - box.right, y1: up.y(value), y2: up.y(value) });
      svg(canvas, "text", { x: box.left - 6, y: up.y(value) + 4, "text-anchor": "end" }, units[chart.unit](value));
    }
    const span = [view.from, view.to].map((index) => index * data.step_s);
    for (const second of ticksOf(span[0], span[1], Math.max(2, Math.floor(width / 110)))) {
      const x = along.x(indexAt(second));
      const name = svg(canvas, "text", { x, y: box.height - 6, "text-anchor": "middle" }, tickName(second));
      const beyond = x + name.getComputedTextLength() / 2 - width;
      if (beyond > 0) name.setAttribute("x", x - beyond);
    }
  };
  const drawMarks = ({ canvas, chart }, width, up) => {
    for (const mark of chart.marks.filter((one) => one.value <= up.high)) {
      const y = up.y(mark.value);
      svg(canvas, "line", { class: "limit", x1: box.left, x2: width - box.right, y1: y, y2: y });
    }
  };
  const drawLine = (canvas, line, along, up, filled) => {
    const tone = "tone" + (line.colour % 6);
    let path = "";
    let run = [];
    const close = () => {
      if (run.length === 1) svg(canvas, "circle", { class: "dot " + tone, cx: run[0][0], cy: run[0][1], r: 1.8 });
      if (run.length > 1) path += "M" + run.map((point) => point.map((number) => number.toFixed(1)).join(",")).join("L");
      if (run.length > 1 && filled) {
        const floor = box.height - box.bottom;
        const points = [[run[0][0], floor], ...run, [run[run.length - 1][0], floor]];
        svg(canvas, "polygon", { class: "area " + tone, points: points.map((point) => point.join(",")).join(" ") });
      }
      run = [];
    };
    for (let index = view.from; index <= Math.min(view.to, last); index++) {
      if (line.values[index] === null) close();
      else run.push([along.x(index), up.y(line.values[index])]);
    }
    close();
    if (path) svg(canvas, "path", { class: "line " + tone, d: path, "data-line": line.name });
  };
  const drawLegend = (one) => {
    const marks = one.chart.marks.map((mark) => {
      const item = html("span", "mark-name");
      item.append(html("i"), html("span", "", mark.name));
      return item;
    });
    const buttons = one.chart.lines.map((line) => {
      const button = html("button");
      button.setAttribute("aria-pressed", String(!one.hidden.has(line.name)));
      button.append(html("i", "tone" + (line.colour % 6)), html("span", "", line.name));
      button.addEventListener("click", () => {
        one.hidden.has(line.name) ? one.hidden.delete(line.name) : one.hidden.add(line.name);
        draw(one);
      });
      return button;
    });
    one.legend.replaceChildren(...buttons, ...marks);
    one.legend.hidden = buttons.length + marks.length < 2;
  };
  const draw = (one) => {
    const focus = document.activeElement && one.legend.contains(document.activeElement) ? [...one.legend.children].indexOf(document.activeElement) : -1;
    const width = one.canvas.clientWidth || 480;
    const [along, up] = [horizontal(width), vertical(one.chart, one.shown())];
    one.scale = along;
    one.canvas.replaceChildren();
    one.canvas.setAttribute("viewBox", `0 0 ${width} ${box.height}`);
    drawAxes(one, width, along, up);
    for (const line of one.shown()) drawLine(one.canvas, line, along, up, one.chart.lines.length === 1);
    drawMarks(one, width, up);
    one.cursor = svg(one.canvas, "line", { class: "cursor", y1: box.top, y2: box.height - box.bottom, visibility: "hidden" });
    drawLegend(one);
    if (focus >= 0) one.legend.children[focus].focus();
  };
  const drawAll = () => {
    charts.forEach(draw);
    document.getElementById("reset-zoom").disabled = view.from === 0 && view.to === Math.max(last, 1);
  };

  // ---- reading values ---------------------------------------------------------------------------------------------
  const pointAt = (index, reader) => {
    view.at = index;
    for (const one of charts) {
      const x = index === null ? null : one.scale.x(index);
      one.cursor.setAttribute("visibility", index === null ? "hidden" : "visible");
      if (x !== null) { one.cursor.setAttribute("x1", x); one.cursor.setAttribute("x2", x); }
      one.tip.hidden = one !== reader || index === null;
      if (!one.tip.hidden) fillTip(one, index, x);
    }
  };
  const fillTip = (one, index, x) => {
    const second = data.seconds[index];
    const judged = second >= data.window.start_s - 0.5 && second < data.window.end_s - 0.05;
    const rows = one.shown().map((line) => {
      const row = html("div");
      const value = line.values[index];
      row.append(html("i", "tone" + (line.colour % 6)), html("span", "", line.name), html("b", "", value === null ? "–" : units[one.chart.unit](value)));
      return row;
    });
    one.tip.replaceChildren(html("small", "", clock(second) + (judged ? "" : ", not judged")), ...rows);
    const room = one.figure.clientWidth;
    const left = x + 24 + one.tip.offsetWidth > room ? x - one.tip.offsetWidth : x + 24;
    one.tip.style.left = Math.max(4, left) + "px";
    one.tip.style.top = "44px";
  };

  // ---- zooming ----------------------------------------------------------------------------------------------------
  const zoom = (from, to) => {
    if (to - from < 2) return;
    [view.from, view.to] = [Math.max(0, from), Math.min(Math.max(last, 1), to)];
    drawAll();
  };
  const wholeRun = () => zoomTo(0, Math.max(last, 1));
  const zoomTo = (from, to) => { [view.from, view.to] = [from, Math.max(to, from + 1)]; drawAll(); };
  for (const one of charts) {
    let start = null;
    let selection = null;
    const place = (event) => one.scale.index(event.clientX - one.canvas.getBoundingClientRect().left);
    const finish = (event) => {
      if (start !== null && event.type === "pointerup") zoom(...[start, place(event)].sort((a, b) => a - b));
      if (selection) selection.remove();
      start = selection = null;
    };
    one.canvas.addEventListener("pointerdown", (event) => {
      if (event.pointerType === "mouse" && event.button === 0) {
        start = place(event);
        one.canvas.setPointerCapture(event.pointerId);
      }
      pointAt(place(event), one);
    });
    one.canvas.addEventListener("pointermove", (event) => {
      const index = place(event);
      if (start !== null && index !== start) {
        const [left, right] = [start, index].sort((a, b) => a - b).map(one.scale.x);
        selection = selection || svg(one.canvas, "rect", { class: "selection", y: box.top, height: box.height - box.top - box.bottom });
        selection.setAttribute("x", left);
        selection.setAttribute("width", right - left);
      }
      pointAt(index, one);
    });
    one.canvas.addEventListener("pointerup", finish);
    one.canvas.addEventListener("pointercancel", finish);
    one.canvas.addEventListener("pointerleave", () => { if (start === null) pointAt(null); });
    one.canvas.addEventListener("dblclick", wholeRun);
    one.canvas.addEventListener("blur", () => pointAt(null));
    one.canvas.addEventListener("keydown", (event) => {
      const moves = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 };
      if (event.key in moves) {
        const from = view.at === null ? view.from : view.at;
        pointAt(Math.max(view.from, Math.min(Math.min(view.to, last), from + moves[event.key])), one);
        event.preventDefault();
      } else if (event.key === "Escape") wholeRun();
    });
  }

  // ---- the page ---------------------------------------------------------------------------------------------------
  document.getElementById("reset-zoom").addEventListener("click", wholeRun);
  document.getElementById("judged-only")?.addEventListener("click", () => {
    const index = (second) => Math.max(0, Math.min(last, Math.round(second / data.step_s)));
    zoomTo(index(data.window.start_s), Math.max(index(data.window.end_s - data.step_s), 1));
  });
  document.getElementById("log-scale").addEventListener("click", (event) => {
    view.log = !view.log;
    event.currentTarget.setAttribute("aria-pressed", String(view.log));
    drawAll();
  });
  document.getElementById("theme").addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });
  document.querySelector(".toolbar").hidden = charts.length === 0;
  let width = 0;
  new ResizeObserver(() => {
    const now = document.querySelector(".charts").clientWidth;
    if (now !== width) { width = now; drawAll(); }
  }).observe(document.querySelector(".charts"));
  matchMedia("print").addEventListener("change", () => drawAll());
  drawAll();
})();
