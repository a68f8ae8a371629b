// Draws the figures and, on demand, one heat map. Everything that a model wrote reaches the page as a text node or through plotly
// with its tags escaped; nothing here writes HTML.
"use strict";
(() => {
  const read = (id) => document.getElementById(id);
  const data = JSON.parse(read("report-data").textContent);
  const ALPHABET = Array.from({ length: 94 }, (_, i) => String.fromCharCode(33 + i)).filter((c) => !"\"\\<>&'".includes(c)).join("");
  const LOG_LO = -3, LOG_SPAN = 10, STEPS = ALPHABET.length ** 2 - 1, PASSED = 10;
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  // Plotly's own default offers a button that sends the chart to its maker's cloud.
  const config = { responsive: true, displaylogo: false, showSendToCloud: false, modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]] };
  let current = -1;

  // Verdict colours live in the style sheet, so that light, dark and print have one truth.
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const colour = (verdict) => css(`--v-${verdict}`);
  const merge = (a, b) => {
    const out = { ...a };
    for (const [k, v] of Object.entries(b)) {
      out[k] = v && typeof v === "object" && !Array.isArray(v) ? merge(a[k] || {}, v) : v;
    }
    return out;
  };
  const theme = () => {
    const axis = { gridcolor: css("--line"), linecolor: css("--line"), zeroline: false, automargin: true, title: { standoff: 10 } };
    return {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: "system-ui, -apple-system, Segoe UI, Roboto, Arial, sans-serif", size: 13, color: css("--ink") },
      margin: { l: 56, r: 24, t: 30, b: 48 }, xaxis: axis, yaxis: axis, legend: { orientation: "h", y: -0.24, x: 0 },
      hoverlabel: { bgcolor: css("--card"), bordercolor: css("--line"), font: { color: css("--ink") } }, modebar: { bgcolor: "rgba(0,0,0,0)", color: css("--soft") },
    };
  };

  // The height belongs to the element: plotly forgets a height in the layout when the window changes its size.
  const draw = (plot, traces, layout) => {
    const { height, ...rest } = layout;
    plot.style.height = height ? `${height}px` : "";
    Plotly.react(plot, traces, { ...rest, autosize: true }, config);
  };

  const drawFigures = () => {
    for (const [name, figure] of Object.entries(data.figures)) {
      const traces = structuredClone(figure.data);
      for (const trace of traces) if (trace.meta) trace.marker.color = colour(trace.meta);
      draw(read(`figure-${name}`), traces, merge(theme(), figure.layout));
    }
  };

  const duration = (packed, cell) => {
    const pair = packed.slice(2 * cell, 2 * cell + 2);
    if (pair === "  ") return "no duration";
    const step = ALPHABET.indexOf(pair[0]) * ALPHABET.length + ALPHABET.indexOf(pair[1]);
    const ms = 10 ** (LOG_LO + (step / STEPS) * LOG_SPAN);
    return ms >= 1000 ? `${(ms / 1000).toPrecision(3)} s` : `${ms < 100 ? ms.toPrecision(3) : Math.round(ms)} ms`;
  };
  const countPassed = (p, cells) => cells.reduce((sum, cell) => sum + (p.v.charCodeAt(cell) - 97 === PASSED), 0);
  const range = (n) => Array.from({ length: n }, (_, i) => i);
  const byCount = (counts) => range(counts.length).sort((a, b) => counts[b] - counts[a] || a - b);
  const truth = (p, i) => ({ 1: "correct", 0: "wrong", "?": "not judged" })[p.y[i]];

  const marks = (p, rows, left, chosen) => {
    const at = (keep) => rows.map((i, y) => (keep(i) ? y : null)).filter((y) => y !== null);
    const trace = (ys, x, symbol, colour, text, size) => ({
      type: "scatter", mode: "markers", x: ys.map(() => x), y: ys, text: ys.map((y) => `solution ${rows[y]}: ${text}`), hovertemplate: "%{text}<extra></extra>",
      marker: { symbol, size, color: colour, line: { width: 1.4, color: colour } }, showlegend: false, cliponaxis: false,
    });
    const size = Math.max(5, Math.min(11, left.row - 1));
    return [
      trace(at((i) => p.y[i] === "1"), left.truth, "circle", css("--good"), "correct", size - 1),
      trace(at((i) => p.y[i] === "?"), left.truth, "circle-open", css("--soft"), "not judged", size - 1),
      trace(at((i) => i === chosen), left.choice, "star", css("--mark"), "chosen", size + 2),
      trace(at((i) => i !== chosen && p.first.includes(i)), left.choice, "star-open", css("--mark"), "tied with the chosen one", size),
    ];
  };

  const drawMatrix = () => {
    const p = data.problems[current], plot = read("heatmap");
    const chosen = p.first.length ? p.first[0] : null;
    const picked = chosen === null ? "No solution was chosen." : `Chosen: solution ${chosen} (${truth(p, chosen)})${p.first.length > 1 ? `, one of ${p.first.length} tied` : ""}.`;
    const right = [...p.y].filter((c) => c === "1").length;
    const judged = [...p.y].filter((c) => c !== "?").length;
    read("matrix-summary").textContent = `${p.n} solutions, ${p.m} tests, ${judged ? `${right} of ${judged} judged solutions correct` : "no solution judged"}. ${picked} Outcome: ${p.said}.`;
    if (p.n * p.m === 0) {
      Plotly.purge(plot);
      plot.style.height = "";
      plot.textContent = p.m === 0 ? "This problem has no tests, so there is no matrix." : "This problem has no solutions, so there is no matrix.";
      return;
    }
    if (!plot.classList.contains("js-plotly-plot")) plot.textContent = "";
    const votes = range(p.n).map((i) => countPassed(p, range(p.m).map((j) => i * p.m + j)));
    const rates = range(p.m).map((j) => countPassed(p, range(p.n).map((i) => i * p.m + j)));
    const rows = byCount(votes), columns = byCount(rates);
    const code = (i, j) => p.v.charCodeAt(i * p.m + j) - 97;
    const row = Math.max(6, Math.min(24, Math.floor(640 / p.n)));
    const step = (17 * p.m) / Math.max(120, plot.clientWidth - 130); // a column of signs is about 17 px wide
    const left = { row, truth: -0.5 - 0.9 * step, choice: -0.5 - 2.1 * step };
    const scale = data.verdicts.flatMap((v, k) => [[k / 11, colour(v.name)], [(k + 1) / 11, colour(v.name)]]);
    const map = {
      type: "heatmap", z: rows.map((i) => columns.map((j) => code(i, j))), zmin: -0.5, zmax: 10.5, colorscale: scale, showscale: false,
      xgap: p.m <= 60 ? 1 : 0, ygap: p.n <= 60 ? 1 : 0, hovertemplate: "%{text}<extra></extra>",
      text: rows.map((i) => columns.map((j) => `solution ${i} (${truth(p, i)}), votes: ${votes[i]}<br>test ${j}, passed by ${rates[j]} of ${p.n}<br>${data.verdicts[code(i, j)].label}, ${duration(p.d, i * p.m + j)}`)),
    };
    const ticks = (order, limit) => ({ tickvals: order.length <= limit ? range(order.length) : [], ticktext: order.length <= limit ? order.map(String) : [], showgrid: false });
    const layout = merge(theme(), {
      height: p.n * row + 98, margin: { t: 30, b: 52, l: 56 }, showlegend: false, hovermode: "closest",
      xaxis: { ...ticks(columns, plot.clientWidth > 600 ? 40 : 14), range: [-0.5 - 2.9 * step, p.m - 0.5], title: { text: "tests, the most passed first" }, fixedrange: false },
      yaxis: { ...ticks(rows, 50), range: [p.n - 0.5, -0.5], title: { text: "solutions, the most votes first" } },
    });
    // Its own size, by its own rule: plotly's handler sometimes keeps an old height when the window changes. Redrawn on resize below.
    plot.style.height = `${layout.height}px`;
    Plotly.react(plot, [map, ...marks(p, rows, left, chosen)], { ...layout, width: plot.clientWidth, autosize: false }, { ...config, responsive: false });
    plot.removeAllListeners("plotly_click");
    plot.on("plotly_click", (event) => {
      const text = event.points[0].text;
      if (text) read("cell").textContent = text.replaceAll("<br>", "; ");
    });
  };

  const drawLegend = () => {
    const legend = read("legend");
    const codes = new Set(data.problems.flatMap((p) => [...new Set(p.v)].map((c) => c.charCodeAt(0) - 97)));
    const item = (sign, text) => {
      const li = document.createElement("li");
      li.append(sign, document.createTextNode(text));
      return li;
    };
    const glyph = (character, kind = "mark") => {
      const span = document.createElement("span");
      span.className = `sign ${kind}`;
      span.textContent = character;
      return span;
    };
    const swatch = (v) => {
      const i = document.createElement("i");
      i.className = "swatch";
      i.style.background = `var(--v-${v.name})`;
      return i;
    };
    legend.replaceChildren(
      item(glyph("★"), "chosen"), item(glyph("☆"), "tied with it"), item(glyph("●", "good"), "correct"), item(glyph("○", "soft"), "not judged"),
      ...data.verdicts.filter((_, k) => codes.has(k)).reverse().map((v) => item(swatch(v), v.label)),
    );
  };

  const show = (index) => {
    current = (index + data.problems.length) % data.problems.length;
    read("picker").value = String(current);
    drawMatrix();
  };
  const drawAll = () => {
    drawFigures();
    if (data.problems.length) {
      drawLegend();
      drawMatrix();
    }
  };

  if (data.problems.length) {
    const first = data.problems.findIndex((p) => p.outcome === "wrong" && p.n * p.m);
    current = first < 0 ? 0 : first;
    read("picker").value = String(current);
    read("picker").addEventListener("change", (event) => show(Number(event.target.value)));
    read("previous").addEventListener("click", () => show(current - 1));
    read("next").addEventListener("click", () => show(current + 1));
    for (const button of document.querySelectorAll("[data-problem]")) {
      button.addEventListener("click", () => {
        show(Number(button.dataset.problem));
        read("matrices").scrollIntoView();
      });
    }
  }
  for (const media of [dark, window.matchMedia("print")]) media.addEventListener("change", drawAll);
  window.addEventListener("beforeprint", () => {
    for (const details of document.querySelectorAll("article details")) details.open = true;
  });
  drawAll();
  if (data.problems.length) {
    let width = read("heatmap").clientWidth;
    new ResizeObserver(() => {
      const now = read("heatmap").clientWidth;
      if (now === width) return;
      width = now;
      requestAnimationFrame(drawMatrix);
    }).observe(read("heatmap"));
  }
})();
