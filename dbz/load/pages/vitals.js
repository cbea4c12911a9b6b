// Runs in every page before its own scripts, and keeps what the page's vitals are made of. Times are milliseconds
// since the navigation began.
(() => {
  if (window !== window.top || window.dbzVitals) return;
  const SHIFT_GAP_MS = 1000, SHIFT_LONGEST_MS = 5000;
  const seen = { fcp: null, lcp: null, cls: 0, interactions: {} };
  let session = { score: 0, first: 0, last: 0 };

  const watch = (options, take) => {
    try {
      new PerformanceObserver(list => list.getEntries().forEach(take)).observe({ buffered: true, ...options });
    } catch (error) { /* a browser that does not know the type */ }
  };
  watch({ type: "paint" }, entry => {
    if (entry.name === "first-contentful-paint") seen.fcp = entry.startTime;
  });
  watch({ type: "largest-contentful-paint" }, entry => { seen.lcp = entry.startTime; });
  watch({ type: "layout-shift" }, entry => {
    if (entry.hadRecentInput) return;
    const goesOn = session.score && entry.startTime - session.last < SHIFT_GAP_MS
      && entry.startTime - session.first < SHIFT_LONGEST_MS;
    session = goesOn ? { ...session, score: session.score + entry.value, last: entry.startTime }
      : { score: entry.value, first: entry.startTime, last: entry.startTime };
    seen.cls = Math.max(seen.cls, session.score);
  });
  const interaction = entry => {
    if (entry.interactionId) {
      seen.interactions[entry.interactionId] = Math.max(seen.interactions[entry.interactionId] || 0, entry.duration);
    }
  };
  watch({ type: "event", durationThreshold: 16 }, interaction);
  watch({ type: "first-input" }, interaction);

  // Buttons only: a link leads away, and what submits a form changes something.
  const CLICKABLE = "button, [role=button], [role=tab], summary";
  const visible = element => {
    const box = element.getBoundingClientRect();
    return box.width > 0 && box.height > 0 && getComputedStyle(element).visibility === "visible" && !element.disabled;
  };
  const found = selector => {
    if (selector) return document.querySelector(selector);
    return [...document.querySelectorAll(CLICKABLE)].find(
      element => visible(element) && !(element.form && element.type === "submit"));
  };

  Object.defineProperty(window, "dbzVitals", { value: {
    figures() {
      const [navigation] = performance.getEntriesByType("navigation");
      const durations = Object.values(seen.interactions);
      return {
        status: navigation ? navigation.responseStatus : 0,
        ttfb_ms: navigation && navigation.responseStart ? navigation.responseStart : null,
        load_event_ms: navigation && navigation.loadEventEnd ? navigation.loadEventEnd : null,
        fcp_ms: seen.fcp, lcp_ms: seen.lcp, cls: seen.cls,
        inp_ms: durations.length ? Math.max(...durations) : null,
      };
    },
    // Where a click would hit what is to be clicked, and what that is called; null when there is nothing.
    place(selector) {
      const element = found(selector);
      if (!element) return null;
      element.scrollIntoView({ block: "center", behavior: "instant" });
      const box = element.getBoundingClientRect();
      const name = (element.getAttribute("aria-label") || element.textContent || "").trim().replace(/\s+/g, " ");
      return { x: box.x + box.width / 2, y: box.y + box.height / 2, name: name.slice(0, 60) };
    },
    painted: () => new Promise(resolve => requestAnimationFrame(() => setTimeout(resolve, 50))),
  } });
})();
