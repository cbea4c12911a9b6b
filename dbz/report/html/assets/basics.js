"use strict";
// What the scripts of a page share: numbers and times as text, and elements, whose text is never markup.
const basics = (() => {
  const svgNames = "http://www.w3.org/2000/svg";
  const digits = (value) => (Math.abs(value) >= 100 ? Math.round(value).toLocaleString("en") : String(+value.toPrecision(3)));
  const units = {
    "": digits,
    "/s": (value) => digits(value) + "/s",
    "%": (value) => digits(value) + " %",
    ms: (value) => (value >= 10000 ? digits(value / 1000) + " s" : digits(value) + " ms"),
    bytes: (value) => {
      for (const [name, size] of [["GB", 1e9], ["MB", 1e6], ["KB", 1e3]]) if (value >= size) return digits(value / size) + " " + name;
      return digits(value) + " B";
    },
  };
  const clock = (seconds) => {
    const pad = (number) => String(number).padStart(2, "0");
    const [hours, minutes, rest] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, Math.floor(seconds % 60)];
    return hours ? `${hours}:${pad(minutes)}:${pad(rest)}` : `${minutes}:${pad(rest)}`;
  };
  // Round numbers from low to high, about so many.
  const steps = (low, high, count) => {
    const raw = (high - low) / count || 1;
    const power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= raw);
    const ticks = [];
    for (let at = Math.ceil(low / step) * step; at <= high + step * 1e-9; at += step) ticks.push(at);
    return ticks;
  };
  // The same in seconds: whole ones, tens, quarters of a minute or an hour.
  const moments = (low, high, count) => {
    const sizes = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 172800, 432000, 864000, 2592000];
    const step = sizes.find((size) => size >= (high - low) / count) || 2592000;
    const ticks = [];
    for (let at = Math.ceil(low / step) * step; at <= high; at += step) ticks.push(at);
    return ticks;
  };
  const html = (tag, className, text) => {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  };
  const svg = (parent, tag, attributes, text) => {
    const element = document.createElementNS(svgNames, tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    if (text !== undefined) element.textContent = text;
    return parent.appendChild(element);
  };
  return { digits, units, clock, steps, moments, html, svg };
})();
