"use strict";
(() => {
  const root = document.documentElement;
  const data = JSON.parse(document.getElementById("chart-data").textContent);
  const all = (selector) => Array.from(document.querySelectorAll(selector));
  const value = (name) => document.querySelector(`input[name=${name}]:checked`)?.value;
  const css = (name) => getComputedStyle(root).getPropertyValue(name).trim();
  const chart = document.getElementById("chart");
  const KEYS = ["norm", "dim", "sigma"];
  root.classList.add("js");

  const fits = (own, key, asked) => own[key] === undefined || own[key] === "" || asked === undefined || own[key] === asked;
  const wanted = (own) => KEYS.every((key) => fits(own, key, value(key)));

  // What does not exist for the choices before it cannot be chosen.
  function offer() {
    const groups = all(".group[data-norm]").map((element) => element.dataset).concat(data.panels);
    KEYS.forEach((key, depth) => {
      const open = groups.filter((group) => KEYS.slice(0, depth).every((earlier) => fits(group, earlier, value(earlier))));
      const boxes = all(`input[name=${key}]`);
      boxes.forEach((box) => { box.disabled = !open.some((group) => group[key] === box.value); });
      const usable = boxes.filter((box) => !box.disabled);
      if (usable.length && !usable.some((box) => box.checked)) usable[0].checked = true;
    });
  }

  function filterPage() {
    all("[data-norm]").forEach((element) => element.classList.toggle("off", !wanted(element.dataset)));
  }

  // Plotly reads a little HTML in names; a name is only ever text.
  const plain = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

  function trace(line, panel) {
    const color = css(`--c${line.color}`);
    return {
      x: line.x, y: line.y, name: plain(line.name), mode: panel.steps ? "lines" : "lines+markers",
      line: { color, width: 2, dash: line.dash, shape: panel.steps ? "hv" : "linear" }, marker: { color, symbol: line.symbol, size: 8 },
      text: line.texts.map((text, i) => `${plain(line.name)} (${plain(line.guarantee)})<br>pA = ${line.pTexts[i]}: <b>${text}</b>`),
      hovertemplate: "%{text}<extra></extra>",
    };
  }

  // On a narrow screen every other tick has no text.
  function tickTexts(panel) {
    const wide = chart.clientWidth > 620;
    return panel.tickTexts.map((text, i) => (wide || i % 2 === 0 ? text : ""));
  }

  function layout(panel) {
    const [ink, line, paper] = ["--ink", "--line", "--paper"].map(css);
    const axis = { gridcolor: line, zeroline: false };
    return {
      autosize: true, showlegend: false, hovermode: "closest", dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom",
      paper_bgcolor: paper, plot_bgcolor: paper, margin: { l: 72, r: 32, t: 14, b: 52 },
      font: { family: getComputedStyle(document.body).fontFamily, size: 13, color: ink }, hoverlabel: { bgcolor: paper, bordercolor: line, font: { color: ink } },
      xaxis: { ...axis, title: { text: "pA, lower bound of the top class" }, tickvals: panel.ticks, ticktext: tickTexts(panel), tickangle: 0, linecolor: ink, ticks: "outside", tickcolor: ink },
      yaxis: { ...axis, rangemode: "tozero", title: { text: panel.axis } },
    };
  }

  function draw() {
    if (!chart) return;
    const index = data.panels.findIndex(wanted);
    const panel = data.panels[index];
    const ticked = new Set(all(`input[name=line][data-panel="${index}"]:checked`).map((box) => Number(box.value)));
    const lines = panel ? panel.lines.filter((_, i) => ticked.has(i)) : [];
    document.getElementById("chart-empty").hidden = lines.length > 0;
    Plotly.react(chart, lines.map((line) => trace(line, panel)), layout(panel ?? { axis: "", ticks: [], tickTexts: [] }), {
      responsive: true, displaylogo: false, showTips: false,
      modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]],
      toImageButtonOptions: { format: "svg", filename: "validation" },
    });
  }

  function update() {
    offer();
    filterPage();
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

  document.querySelector(".toolbar")?.addEventListener("change", update);
  document.querySelector(".toolbar")?.addEventListener("submit", (event) => event.preventDefault());
  all("input[name=line]").forEach((box) => box.addEventListener("change", draw));
  all("[data-lines]").forEach((button) => button.addEventListener("click", () => {
    all("input[name=line]").filter((box) => !box.closest(".off")).forEach((box) => { box.checked = button.dataset.lines === "all"; });
    draw();
  }));
  themeButton.addEventListener("click", () => retheme(isDark() ? "light" : "dark"));
  systemDark.addEventListener("change", () => retheme());

  // Paper is white.
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

  offer();
  filterPage();
  retheme();
})();
