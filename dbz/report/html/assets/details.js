"use strict";
// Latency in detail: a heat map over time and the distribution of the operation that is chosen.
(() => {
  const { detail, markers } = JSON.parse(document.getElementById("chart-data").textContent);
  const section = document.getElementById("details");
  if (!section || !detail.items.length) { if (section) section.hidden = true; return; }
  section.hidden = false;
  const choice = document.getElementById("detail-choice");
  const canvas = document.getElementById("heat-map");
  const plot = document.getElementById("distribution");
  const tip = document.getElementById("detail-tip");
  const facts = document.getElementById("detail-facts");
  const { clock, moments, svg } = basics;
  const time = basics.units.ms;
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  let shown = null;

  for (const [at, item] of detail.items.entries()) {
    const option = document.createElement("option");
    option.value = String(at);
    option.textContent = item.title === item.name ? item.kind + " " + item.name : item.title;
    choice.append(option);
  }

  // ---- the heat map -----------------------------------------------------------------------------------------------
  const margin = { left: 62, bottom: 20, top: 8, right: 8 };
  const layout = (item) => {
    const bands = [];
    for (let at = 1; at < item.heat.length; at += 3) bands.push(item.heat[at]);
    const [low, high] = [Math.max(Math.min(...bands) - 1, 0), Math.min(Math.max(...bands) + 1, detail.edges_ms.length - 2)];
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    const cell = { width: (width - margin.left - margin.right) / detail.steps, height: (height - margin.top - margin.bottom) / (high - low + 1) };
    return { low, high, width, height, cell };
  };
  const drawHeat = (item) => {
    const place = layout(item);
    const ratio = window.devicePixelRatio || 1;
    [canvas.width, canvas.height] = [place.width * ratio, place.height * ratio];
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    pen.clearRect(0, 0, place.width, place.height);
    let top = 1;
    for (let at = 2; at < item.heat.length; at += 3) top = Math.max(top, item.heat[at]);
    pen.fillStyle = colour("--c0");
    for (let at = 0; at < item.heat.length; at += 3) {
      const [step, band, count] = item.heat.slice(at, at + 3);
      pen.globalAlpha = 0.12 + 0.88 * (Math.log(1 + count) / Math.log(1 + top));
      const y = margin.top + (place.high - band) * place.cell.height;
      pen.fillRect(margin.left + step * place.cell.width, y, Math.max(place.cell.width - 0.5, 1), place.cell.height - 0.5);
    }
    pen.globalAlpha = 1;
    pen.strokeStyle = colour("--soft");
    pen.setLineDash([1, 3]);
    for (const marker of markers.filter((one) => one.second > 0)) {
      const x = margin.left + (marker.second / detail.step_s) * place.cell.width;
      pen.beginPath();
      pen.moveTo(x, margin.top);
      pen.lineTo(x, place.height - margin.bottom);
      pen.stroke();
    }
    pen.fillStyle = colour("--soft");
    pen.font = "11px system-ui, sans-serif";
    pen.textAlign = "right";
    const every = Math.max(1, Math.ceil(16 / place.cell.height));
    for (let band = place.low; band <= place.high + 1; band += every) {
      pen.fillText(time(detail.edges_ms[band]), margin.left - 6, margin.top + (place.high + 1 - band) * place.cell.height + 4);
    }
    pen.textAlign = "center";
    const seconds = detail.steps * detail.step_s;
    for (const second of moments(0, seconds, Math.max(2, Math.floor(place.width / 110)))) {
      const x = margin.left + (second / detail.step_s) * place.cell.width;
      pen.textAlign = x + 20 > place.width ? "right" : "center";
      pen.fillText(clock(second), Math.min(x, place.width - 2), place.height - 5);
    }
  };
  canvas.addEventListener("pointermove", (event) => {
    const item = shown;
    const place = layout(item);
    const bounds = canvas.getBoundingClientRect();
    const step = Math.floor((event.clientX - bounds.left - margin.left) / place.cell.width);
    const band = place.high - Math.floor((event.clientY - bounds.top - margin.top) / place.cell.height);
    if (step < 0 || step >= detail.steps || band < place.low || band > place.high) { tip.hidden = true; return; }
    let count = 0;
    for (let at = 0; at < item.heat.length; at += 3) if (item.heat[at] === step && item.heat[at + 1] === band) count = item.heat[at + 2];
    tip.textContent = `${clock(step * detail.step_s)}  ${time(detail.edges_ms[band])} to ${time(detail.edges_ms[band + 1])}: ${count.toLocaleString("en")}`;
    tip.hidden = false;
    tip.style.left = Math.max(4, Math.min(event.clientX - bounds.left + 14, bounds.width - tip.offsetWidth - 4)) + "px";
    tip.style.top = Math.max(4, event.clientY - bounds.top - 34) + "px";
  });
  canvas.addEventListener("pointerleave", () => { tip.hidden = true; });

  // ---- the distribution -------------------------------------------------------------------------------------------
  const draw = (tag, attributes, text) => svg(plot, tag, attributes, text);
  const nines = (percent) => Math.log10(100 / (100 - Math.min(percent, 99.995)));
  const drawCurve = (item) => {
    const [width, height] = [plot.clientWidth || 480, 240];
    plot.setAttribute("viewBox", `0 0 ${width} ${height}`);
    plot.replaceChildren();
    const points = detail.percents.map((percent, at) => [percent, item.curve[at]]).filter((point) => point[1] !== null && point[1] > 0);
    if (!points.length) return;
    const bounds = [Math.floor(Math.log10(points[0][1])), Math.ceil(Math.log10(points[points.length - 1][1] * 1.0001))];
    if (bounds[0] === bounds[1]) bounds[1] += 1;
    const last = nines(99.99);
    const x = (percent) => margin.left + ((width - margin.left - 14) * nines(percent)) / last;
    const y = (ms) => margin.top + (height - margin.top - margin.bottom) * (1 - (Math.log10(ms) - bounds[0]) / (bounds[1] - bounds[0]));
    for (let power = bounds[0]; power <= bounds[1]; power++) {
      draw("line", { class: "grid", x1: margin.left, x2: width - 8, y1: y(10 ** power), y2: y(10 ** power) });
      draw("text", { x: margin.left - 6, y: y(10 ** power) + 4, "text-anchor": "end" }, time(10 ** power));
    }
    let free = 0;
    for (const percent of [0, 50, 90, 99, 99.9, 99.99]) {
      draw("line", { class: "grid", x1: x(percent), x2: x(percent), y1: margin.top, y2: height - margin.bottom });
      const label = draw("text", { x: x(percent), y: height - 5, "text-anchor": percent > 99.9 ? "end" : "middle" }, percent + " %");
      const { x: left, width: length } = label.getBBox();
      if (left < free) label.remove();
      else free = left + length + 4;
    }
    const failed = item.curve.indexOf(null);
    if (failed >= 0) draw("text", { x: width - 14, y: margin.top + 14, "text-anchor": "end" }, `from p${detail.percents[failed]} on: failed attempts`);
    draw("path", { class: "line tone0", d: "M" + points.map((point) => x(point[0]).toFixed(1) + "," + y(point[1]).toFixed(1)).join("L") });
    for (const [percent, ms] of points) svg(draw("circle", { class: "dot tone0", cx: x(percent), cy: y(ms), r: 3 }), "title", {}, `p${percent}: ${time(ms)}`);
  };

  // ---- choosing ---------------------------------------------------------------------------------------------------
  const redraw = () => { drawHeat(shown); drawCurve(shown); };
  const show = (at) => {
    shown = detail.items[at];
    choice.value = String(at);
    const share = shown.count ? (100 * shown.errors) / shown.count : 0;
    facts.textContent = `${shown.count.toLocaleString("en")} judged attempts, ${shown.errors.toLocaleString("en")} failed (${+share.toPrecision(3)} %)`;
    redraw();
  };
  choice.addEventListener("change", () => show(Number(choice.value)));
  for (const link of document.querySelectorAll("[data-detail]")) {
    link.addEventListener("click", () => {
      const at = detail.items.findIndex((item) => item.kind + " " + item.name === link.dataset.detail);
      if (at < 0) return;
      show(at);
      section.scrollIntoView({ block: "start" });
    });
  }
  show(0);
  let width = 0;
  new ResizeObserver(() => { if (section.clientWidth !== width) { width = section.clientWidth; redraw(); } }).observe(section);
  document.getElementById("theme").addEventListener("click", () => requestAnimationFrame(redraw));
  for (const query of ["(prefers-color-scheme: dark)", "print"]) matchMedia(query).addEventListener("change", redraw);
})();
