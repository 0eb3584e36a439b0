"use strict";
(() => {
  const root = document.documentElement;
  const data = JSON.parse(document.getElementById("chart-data").textContent);
  const all = (selector) => Array.from(document.querySelectorAll(selector));
  const value = (name) => document.querySelector(`input[name=${name}]:checked`)?.value;
  const css = (name) => getComputedStyle(root).getPropertyValue(name).trim();
  const chart = document.getElementById("chart");
  let drawn = { curves: [], step: { size: 1, places: 0 } };
  root.classList.add("js");

  // Which data set, norm and solvers the reader asked for.
  function selection() {
    const solvers = all("input[name=solver]");
    return {
      dataset: value("dataset") ?? "0",
      norm: value("norm") ?? Object.keys(data.norms)[0] ?? "",
      solvers: solvers.length ? new Set(solvers.filter((box) => box.checked).map((box) => box.value)) : null,
    };
  }

  function wanted(chosen, dataset, norm, solver) {
    const fits = (asked, own) => own === undefined || own === "" || String(own) === asked;
    const solved = !chosen.solvers || solver === undefined || String(solver) === "-1" || chosen.solvers.has(String(solver));
    return fits(chosen.dataset, dataset) && fits(chosen.norm, norm) && solved;
  }

  // A norm that the chosen data set lacks cannot be asked for.
  function offerNorms() {
    const dataset = value("dataset") ?? "0";
    const offered = new Set(data.groups.filter((group) => String(group[0]) === dataset).map((group) => group[1]));
    const boxes = all("input[name=norm]");
    boxes.forEach((box) => { box.disabled = !offered.has(box.value); });
    const usable = boxes.filter((box) => !box.disabled);
    if (usable.length && !usable.some((box) => box.checked)) usable[0].checked = true;
  }

  function filterPage() {
    const chosen = selection();
    all("[data-dataset], [data-norm], [data-solver]").forEach((element) => {
      const { dataset, norm, solver } = element.dataset;
      element.classList.toggle("off", !wanted(chosen, dataset, norm, solver));
    });
    all("section").forEach((section) => {
      const none = section.querySelector(".none");
      if (none) none.hidden = Array.from(section.querySelectorAll(".group")).some((group) => !group.classList.contains("off"));
    });
  }

  function visibleCurves() {
    const chosen = selection();
    const ticked = new Set(all("input[name=curve]:checked").map((box) => Number(box.value)));
    return data.curves.filter((curve, index) => ticked.has(index) && wanted(chosen, curve.dataset, curve.norm, curve.solver));
  }

  // The largest radius at which something is still certified.
  function reach(curve) {
    for (let i = curve.radius.length - 1; i >= 0; i--) if (curve.accuracy[i] > 0) return curve.radius[i];
    return 0;
  }

  // Values are read at 0, step, 2 step, ... so that the radius shown is the radius meant, not a rounded one.
  function readingStep(end) {
    const power = Math.floor(Math.log10(end / 250));
    const unit = [1, 2, 5, 10].find((digit) => digit * 10 ** power >= (end / 250) * 0.999);
    return { size: unit * 10 ** power, places: Math.max(0, -power) };
  }

  // accuracy[i] holds for radii in (radius[i-1], radius[i]]; -1 beyond the end.
  function place(curve, radius) {
    let low = 0;
    let high = curve.radius.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (curve.radius[middle] >= radius) high = middle; else low = middle + 1;
    }
    return low < curve.radius.length ? low : -1;
  }

  // Plotly reads a little HTML in names; a name is only ever text.
  const plain = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  const outward = (lower, upper) => `[${(Math.floor(lower * 1000) / 1000).toFixed(3)}, ${(Math.ceil(upper * 1000) / 1000).toFixed(3)}]`;

  function faded(color, opacity) {
    const [red, green, blue] = [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16));
    return `rgba(${red},${green},${blue},${opacity})`;
  }

  function bandTraces(curve, color) {
    const edge = { x: curve.radius, mode: "lines", hoverinfo: "skip", line: { width: 0, shape: "vh", color } };
    return [{ ...edge, y: curve.lower }, { ...edge, y: curve.upper, fill: "tonexty", fillcolor: faded(color, 0.13) }];
  }

  function curveTraces(curve, color) {
    const end = curve.radius.length - 1;
    const open = curve.accuracy[end] > 0;
    return [
      {
        x: open ? [...curve.radius, curve.radius[end]] : curve.radius, y: open ? [...curve.accuracy, 0] : curve.accuracy,
        name: plain(curve.name), mode: "lines", hoverinfo: "skip", line: { color, width: 2, dash: curve.dash, shape: "vh" },
      },
      {
        x: curve.gridRadius, y: curve.gridAccuracy, name: plain(curve.name), mode: "markers", hoverinfo: "skip",
        cliponaxis: false, marker: { color, symbol: curve.symbol, size: 8 },
      },
    ];
  }

  function layout(end, norm) {
    const [ink, line, paper] = ["--ink", "--line", "--paper"].map(css);
    const axis = { gridcolor: line, zeroline: false };
    return {
      autosize: true, showlegend: false, hovermode: false, dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom",
      paper_bgcolor: paper, plot_bgcolor: paper, margin: { l: 56, r: 14, t: 14, b: 52 },
      font: { family: getComputedStyle(document.body).fontFamily, size: 13, color: ink },
      xaxis: { ...axis, showgrid: false, range: [0, end * 1.02], title: { text: `${norm} radius` }, linecolor: ink, ticks: "outside", tickcolor: ink },
      yaxis: { ...axis, range: [0, 1], title: { text: "certified accuracy" }, tickformat: ".1f" },
    };
  }

  function draw() {
    if (!chart) return;
    const curves = visibleCurves();
    document.getElementById("chart-empty").hidden = curves.length > 0;
    const end = Math.max(0, ...curves.map(reach)) || 1;
    const color = (curve) => css(`--c${curve.color}`);
    const banded = document.getElementById("bands").checked ? curves.filter((curve) => curve.color > 0) : [];
    const traces = [...banded.flatMap((curve) => bandTraces(curve, color(curve))), ...curves.flatMap((curve) => curveTraces(curve, color(curve)))];
    Plotly.react(chart, traces, layout(end, data.norms[selection().norm] ?? ""), {
      responsive: true, displaylogo: false, showTips: false,
      modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]],
      toImageButtonOptions: { format: "svg", filename: "certified_accuracy" },
    });
    drawn = { curves, step: readingStep(end) };
    hideReadout();
  }

  const readout = document.getElementById("readout");
  const cursor = document.getElementById("cursor");
  let reading = 0;

  function hideReadout() {
    readout.hidden = cursor.hidden = true;
  }

  function make(tag, text, className = "") {
    const element = document.createElement(tag);
    element.textContent = text;
    element.className = className;
    return element;
  }

  function readoutRow(curve, radius) {
    const at = place(curve, radius);
    const row = document.createElement("div");
    const legend = document.querySelector(`input[name=curve][value="${data.curves.indexOf(curve)}"]`).closest("label");
    row.append(legend.querySelector(".swatch").cloneNode(true));
    row.append(make("b", at < 0 ? "0.000" : curve.accuracy[at].toFixed(3)), make("i", at < 0 ? "" : outward(curve.lower[at], curve.upper[at])));
    row.append(make("span", curve.name, "name"));
    row.append(legend.querySelector(".badge:not(.badge-posthoc)")?.cloneNode(true) ?? make("span", ""));
    return row;
  }

  // Shows every visible curve's value at the radius "steps" reading steps from 0.
  function read(steps) {
    const area = chart.querySelector(".nsewdrag")?.getBoundingClientRect();
    if (!area || !drawn.curves.length) return;
    const [left, right] = chart.layout.xaxis.range.map(Number);
    const { size, places } = drawn.step;
    reading = Math.min(Math.floor(right / size), Math.max(Math.ceil(Math.max(0, left) / size), steps));
    const radius = Number((reading * size).toFixed(places));
    readout.replaceChildren(make("p", `radius ${radius.toFixed(places)}`), ...drawn.curves.map((curve) => readoutRow(curve, radius)));
    readout.hidden = cursor.hidden = false;
    const frame = chart.getBoundingClientRect();
    const x = area.left - frame.left + ((radius - left) / (right - left)) * area.width;
    cursor.style.cssText = `left:${x}px;top:${area.top - frame.top}px;height:${area.height}px`;
    const room = x + 14 + readout.offsetWidth <= frame.width;
    const start = room ? x + 14 : x - 14 - readout.offsetWidth;
    readout.style.left = `${Math.max(0, Math.min(start, frame.width - readout.offsetWidth))}px`;
    readout.style.top = `${area.top - frame.top + 8}px`;
  }

  function readAt(event) {
    const area = chart.querySelector(".nsewdrag")?.getBoundingClientRect();
    if (!area || event.clientX < area.left || event.clientX > area.right || event.clientY < area.top || event.clientY > area.bottom) return hideReadout();
    const [left, right] = chart.layout.xaxis.range.map(Number);
    return read(Math.round((left + ((event.clientX - area.left) / area.width) * (right - left)) / drawn.step.size));
  }

  function readByKey(event) {
    const targets = { ArrowLeft: reading - 1, ArrowRight: reading + 1, PageUp: reading + 10, PageDown: reading - 10, Home: 0, End: Infinity };
    if (event.key === "Escape") hideReadout();
    if (!(event.key in targets)) return;
    event.preventDefault();
    read(targets[event.key]);
  }

  function update() {
    offerNorms();
    filterPage();
    root.classList.toggle("no-intervals", !document.getElementById("intervals").checked);
    draw();
  }

  const themeButton = document.getElementById("theme");
  const systemDark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : systemDark.matches);
  function retheme(theme) {
    if (theme) root.dataset.theme = theme;
    themeButton.textContent = isDark() ? "Light" : "Dark";
    themeButton.setAttribute("aria-pressed", String(isDark()));
    draw();
  }

  if (chart) {
    chart.addEventListener("pointermove", readAt);
    chart.addEventListener("pointerdown", readAt);
    chart.addEventListener("pointerleave", hideReadout);
    chart.addEventListener("keydown", readByKey);
    chart.addEventListener("blur", hideReadout);
  }
  document.querySelector(".toolbar").addEventListener("change", update);
  document.querySelector(".toolbar").addEventListener("submit", (event) => event.preventDefault());
  all("input[name=curve]").forEach((box) => box.addEventListener("change", draw));
  all("[data-curves]").forEach((button) => button.addEventListener("click", () => {
    all("input[name=curve]").filter((box) => !box.closest(".off")).forEach((box) => { box.checked = button.dataset.curves === "all"; });
    draw();
  }));
  themeButton.addEventListener("click", () => retheme(isDark() ? "light" : "dark"));
  systemDark.addEventListener("change", () => retheme());

  // Paper is white, and a closed detail cannot be opened on it.
  let before = "";
  addEventListener("beforeprint", () => {
    before = root.dataset.theme ?? "";
    all("details").forEach((details) => { details.open = true; });
    retheme("light");
  });
  addEventListener("afterprint", () => {
    if (before) root.dataset.theme = before; else delete root.dataset.theme;
    retheme();
  });

  offerNorms();
  filterPage();
  retheme();
})();
