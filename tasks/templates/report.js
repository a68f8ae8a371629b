// Draws the figures and, on demand, one problem: its heat map, and what decided between the choice and another solution. Problems
// stand compressed in the page and are inflated when they are looked at. Everything that a model wrote reaches the page as a text
// node or through plotly with its tags escaped; nothing here writes HTML.
"use strict";
(() => {
  const read = (id) => document.getElementById(id);
  const data = JSON.parse(read("report-data").textContent);
  const ALPHABET = Array.from({ length: 94 }, (_, i) => String.fromCharCode(33 + i)).filter((c) => !"\"\\<>&'".includes(c)).join("");
  const LOG_LO = -3, LOG_SPAN = 10, STEPS = ALPHABET.length ** 2 - 1, PASSED = 10, MAX_ROWS = 30;
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  // Plotly's own default offers a button that sends the chart to its maker's cloud.
  const config = { responsive: true, displaylogo: false, showSendToCloud: false, modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]] };
  let current = -1, problem = null;

  const element = (tag, className = "", ...children) => {
    const node = document.createElement(tag);
    if (className) node.className = className;
    node.append(...children);
    return node;
  };

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
      margin: { l: 56, r: 24, t: 30, b: 48 }, xaxis: axis, yaxis: axis, legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0 },
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
  const codeOf = (p, i, j) => p.v.charCodeAt(i * p.m + j) - 97;
  const votesOf = (p, i) => countPassed(p, range(p.m).map((j) => i * p.m + j));
  const plural = (n, one) => `${n} ${one}${n === 1 ? "" : "s"}`;

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
    const p = problem, plot = read("heatmap");
    if (!p) return;
    const chosen = p.first.length ? p.first[0] : null;
    const sure = p.confidence === null ? "" : ` Confidence ${p.confidence.toFixed(2)}.`;
    const picked = chosen === null ? "No solution was chosen." : `Chosen: solution ${chosen} (${truth(p, chosen)})${p.first.length > 1 ? `, one of ${p.first.length} tied` : ""}.${sure}`;
    const right = [...p.y].filter((c) => c === "1").length;
    const judged = [...p.y].filter((c) => c !== "?").length;
    read("matrix-summary").textContent = `${p.n} solutions, ${p.m} tests, ${judged ? `${right} of ${judged} judged solutions correct` : "no solution judged"}. ${picked} Outcome: ${p.said}.`;
    if (p.n * p.m === 0) {
      Plotly.purge(plot);
      plot.style.height = "";
      plot.textContent = p.m === 0 ? "This problem has no tests, so there is no matrix." : "This problem has no solutions, so there is no matrix.";
      return;
    }
    for (const node of [...plot.childNodes]) if (node.nodeType === Node.TEXT_NODE) node.remove(); // what an empty problem said
    const votes = range(p.n).map((i) => votesOf(p, i));
    const rates = range(p.m).map((j) => countPassed(p, range(p.n).map((i) => i * p.m + j)));
    const rows = byCount(votes), columns = byCount(rates);
    const row = Math.max(6, Math.min(24, Math.floor(640 / p.n)));
    const step = (17 * p.m) / Math.max(120, plot.clientWidth - 130); // a column of signs is about 17 px wide
    const left = { row, truth: -0.5 - 0.9 * step, choice: -0.5 - 2.1 * step };
    const scale = data.verdicts.flatMap((v, k) => [[k / 11, colour(v.name)], [(k + 1) / 11, colour(v.name)]]);
    const origin = (j) => (p.origins[j] === "s" ? " (from the statement)" : "");
    const map = {
      type: "heatmap", z: rows.map((i) => columns.map((j) => codeOf(p, i, j))), zmin: -0.5, zmax: 10.5, colorscale: scale, showscale: false,
      xgap: p.m <= 60 ? 1 : 0, ygap: p.n <= 60 ? 1 : 0, hovertemplate: "%{text}<extra></extra>", customdata: rows.map((i) => columns.map((j) => [i, j])),
      text: rows.map((i) => columns.map((j) => `solution ${i} (${truth(p, i)}), votes: ${votes[i]}<br>test ${j}${origin(j)}, passed by ${rates[j]} of ${p.n}<br>${data.verdicts[codeOf(p, i, j)].label}, ${duration(p.d, i * p.m + j)}`)),
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
      const { text, customdata } = event.points[0];
      if (text) read("cell").textContent = text.replaceAll("<br>", "; ");
      if (customdata) read("cell-sources").replaceChildren(showSource(`Solution ${customdata[0]}`, solutionOf(p, customdata[0])), showTest(p, customdata[1]));
    });
  };

  // Sources: {items, at}; an item is [text, note], a test a list of [heading, text, note]. -1: not in this page.
  const itemOf = (table, k) => (table.at[k] < 0 ? null : table.items[table.at[k]]);
  const solutionOf = (p, i) => itemOf(p.solutions, i);
  const note = (text) => element("p", "note", text);
  const pre = (...children) => {
    const box = element("pre", "", element("code", "", ...children));
    box.tabIndex = 0;
    return box;
  };
  const showSource = (title, item) => {
    const box = element("details", "", element("summary", "", title));
    if (item) box.append(pre(item[0]), ...(item[1] ? [note(item[1])] : []));
    else box.append(note("This source is not in the page."));
    return box;
  };
  const badge = (p, j) => (p.origins[j] === "s" ? [element("span", "origin", "from the statement")] : []);
  const testParts = (p, j) => {
    const parts = itemOf(p.tests, j);
    if (!parts) return [note("This source is not in the page.")];
    return parts.flatMap(([head, text, cut]) => [...(head ? [note(head)] : []), pre(text), ...(cut ? [note(cut)] : [])]);
  };
  const showTest = (p, j) => element("details", "", element("summary", "", `Test ${j}`, ...badge(p, j)), ...testParts(p, j));

  // Longest common subsequence of lines: which lines stand on one side only. Sources are clipped to 120 lines.
  const onlyHere = (a, b) => {
    const best = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
    for (let i = a.length - 1; i >= 0; i--) {
      for (let j = b.length - 1; j >= 0; j--) best[i][j] = a[i] === b[j] ? best[i + 1][j + 1] + 1 : Math.max(best[i + 1][j], best[i][j + 1]);
    }
    const left = new Set(range(a.length)), right = new Set(range(b.length));
    for (let i = 0, j = 0; i < a.length && j < b.length;) {
      if (a[i] === b[j]) { left.delete(i++); right.delete(j++); }
      else if (best[i + 1][j] >= best[i][j + 1]) i++;
      else j++;
    }
    return [left, right];
  };
  const kind = (p, i) => ({ 1: "good", 0: "bad", "?": "" })[p.y[i]];
  const duelist = (p, title, i, lines, alone, item) => {
    const shown = lines.map((line, k) => element("span", `line${alone.has(k) ? ` differs ${kind(p, i)}` : ""}`, `${line}\n`));
    const facts = `${title}: solution ${i} (${truth(p, i)}), ${plural(votesOf(p, i), "vote")}, ${plural(alike(p, i), "candidate")} with the same row`;
    return element("div", "", element("h5", "", facts), item ? pre(...shown) : note("This source is not in the page."), ...(item && item[1] ? [note(item[1])] : []));
  };
  const rowOf = (p, i) => [...p.v.slice(i * p.m, (i + 1) * p.m)].map((c) => (c.charCodeAt(0) - 97 === PASSED ? "1" : "0")).join("");
  const alike = (p, i) => range(p.n).filter((k) => rowOf(p, k) === rowOf(p, i)).length;
  const verdict = (p, i, j) => {
    const v = data.verdicts[codeOf(p, i, j)], sign = element("i", "swatch");
    sign.style.background = `var(--v-${v.name})`;
    return element("td", "verdict", sign, v.label);
  };
  const testTable = (p, title, tests, a, b) => {
    if (!tests.length) return [];
    const head = element("tr", "", ...["test", "what it asks", `solution ${a}`, `solution ${b}`].map((t) => element("th", "", t)));
    const rows = tests.slice(0, MAX_ROWS).map((j) => element("tr", "", element("th", "", `${j}`, ...badge(p, j)), element("td", "source", ...testParts(p, j)), verdict(p, a, j), verdict(p, b, j)));
    const box = element("div", "scroll", element("table", "", element("thead", "", head), element("tbody", "", ...rows)));
    return [element("h5", "", title), box, ...(tests.length > MAX_ROWS ? [note(`${tests.length - MAX_ROWS} more are not listed.`)] : [])];
  };

  const drawDuel = () => {
    const p = problem, pair = p.pairs[Number(read("pair").value)];
    read("duel").replaceChildren();
    read("discordant").replaceChildren();
    if (!pair) {
      read("verdict-of-pair").textContent = p.first.length ? "Every ranked solution is in the first group: there is no other one to compare with." : "Nothing was chosen.";
      return;
    }
    const [what, a, b] = pair;
    const asked = range(p.m).filter((j) => codeOf(p, a, j) !== 0 && codeOf(p, b, j) !== 0);
    const passes = (i, j) => codeOf(p, i, j) === PASSED;
    const ours = asked.filter((j) => passes(a, j) && !passes(b, j)), theirs = asked.filter((j) => passes(b, j) && !passes(a, j));
    const statement = [...ours, ...theirs].filter((j) => p.origins[j] === "s").length;
    read("verdict-of-pair").textContent =
      `Of ${plural(asked.length, "test")} asked of both, ${ours.length} only the choice passes, ${theirs.length} only the other one; the rest do not tell them apart.` +
      (statement ? ` ${statement} of these ${ours.length + theirs.length} stand in the problem's statement.` : "") +
      (ours.length + theirs.length ? "" : " So no test decided: ties and the sizes of groups did.") +
      (ours.length < theirs.length ? ` Votes did not decide here: ${plural(alike(p, a), "candidate")} share the choice's row, ${alike(p, b)} the other one's.` : "");
    const left = solutionOf(p, a), right = solutionOf(p, b);
    const lines = [left, right].map((item) => (item ? item[0].split("\n") : []));
    const alone = onlyHere(...lines);
    read("duel").replaceChildren(duelist(p, "Chosen", a, lines[0], alone[0], left), duelist(p, what[0].toUpperCase() + what.slice(1), b, lines[1], alone[1], right));
    read("discordant").replaceChildren(
      ...testTable(p, `Passed by the choice only (${ours.length})`, ours, a, b), ...testTable(p, `Passed by the other one only (${theirs.length})`, theirs, a, b),
    );
  };

  const drawPairs = () => {
    const box = read("pair");
    box.replaceChildren(...problem.pairs.map(([what, , other], k) => {
      const option = element("option", "", `${what}, solution ${other} (${truth(problem, other)})`);
      option.value = String(k);
      return option;
    }));
    read("decision").hidden = problem.n * problem.m === 0;
    box.parentElement.hidden = problem.pairs.length === 0;
    drawDuel();
  };

  const drawLegend = () => {
    const item = (sign, text) => element("li", "", sign, text);
    const glyph = (character, kind = "mark") => element("span", `sign ${kind}`, character);
    const swatch = (v) => {
      const i = element("i", "swatch");
      i.style.background = `var(--v-${v.name})`;
      return i;
    };
    read("legend").replaceChildren(
      item(glyph("★"), "chosen"), item(glyph("☆"), "tied with it"), item(glyph("●", "good"), "correct"), item(glyph("○", "soft"), "not judged"),
      ...data.verdicts.filter((_, k) => data.seen.includes(k)).reverse().map((v) => item(swatch(v), v.label)),
    );
  };

  const inflate = async (packed) => {
    const bytes = Uint8Array.from(atob(packed), (c) => c.charCodeAt(0));
    return JSON.parse(await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"))).text());
  };
  const table = read("problems");
  const lines = table ? [...table.tBodies[0].rows] : [];
  const listed = () => lines.filter((line) => !line.hidden && line.dataset.row).sort((a, b) => a.rowIndex - b.rowIndex).map((line) => Number(line.dataset.row));

  const show = async (index) => {
    current = index;
    read("picker").value = String(index);
    const { z, ...facts } = data.problems[index];
    const found = { ...facts, ...(await inflate(z)) };
    if (current !== index) return; // another problem was asked for meanwhile
    problem = found;
    for (const line of lines) line.classList.toggle("current", line.dataset.row === String(index));
    read("prompt").textContent = found.prompt[0] + (found.prompt[1] ? `\n… ${found.prompt[1]}` : "");
    read("cell-sources").replaceChildren();
    read("cell").textContent = "Point at a cell, or tap it, to see its solution, test, verdict and duration.";
    drawMatrix();
    drawPairs();
    document.body.dataset.shown = String(index);
  };
  const walk = (step) => {
    const order = listed().length ? listed() : range(data.problems.length);
    const at = order.indexOf(current);
    show(order[at < 0 ? 0 : (at + step + order.length) % order.length]);
  };
  const filter = () => {
    const words = read("search").value.toLowerCase().split(/\s+/).filter(Boolean), outcome = read("outcome").value;
    for (const line of lines) {
      const text = line.textContent.toLowerCase();
      line.hidden = !(words.every((word) => text.includes(word)) && (!outcome || line.dataset.said === outcome));
    }
    const left = lines.filter((line) => !line.hidden).length;
    read("found").textContent = left === lines.length ? plural(left, "problem") : `${left} of ${plural(lines.length, "problem")}`;
  };
  const sortBy = (column) => {
    const head = table.tHead.rows[0].cells[column], down = head.getAttribute("aria-sort") === "ascending";
    for (const cell of table.tHead.rows[0].cells) cell.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const key = (line) => {
      const cell = line.cells[column], number = Number.parseFloat(cell.dataset.key ?? cell.textContent);
      return Number.isNaN(number) ? cell.textContent : number;
    };
    const order = (a, b) => (typeof a === typeof b ? (a < b ? -1 : a > b ? 1 : 0) : typeof a === "string" ? -1 : 1);
    const sorted = [...lines].sort((a, b) => (down ? -1 : 1) * order(key(a), key(b)));
    table.tBodies[0].append(...sorted);
  };
  const drawAll = () => {
    drawFigures();
    if (data.problems.length) {
      drawLegend();
      drawMatrix();
    }
  };

  if (table) {
    read("search").addEventListener("input", filter);
    read("outcome").addEventListener("change", filter);
    [...table.tHead.rows[0].cells].forEach((cell, column) => cell.addEventListener("click", () => sortBy(column)));
  }
  if (data.problems.length) {
    const first = data.problems.findIndex((p) => p.outcome === "wrong" && p.n * p.m);
    read("picker").addEventListener("change", (event) => show(Number(event.target.value)));
    read("pair").addEventListener("change", drawDuel);
    read("previous").addEventListener("click", () => walk(-1));
    read("next").addEventListener("click", () => walk(1));
    for (const line of lines) {
      if (line.dataset.row) line.addEventListener("click", () => show(Number(line.dataset.row)).then(() => read("at").scrollIntoView()));
    }
    show(first < 0 ? 0 : first);
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
