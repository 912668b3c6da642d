// @ts-check
// The explorable chart of a destination. Plotly is loaded when the section is first opened; the
// static picture above needs neither.
"use strict";

(() => {
  /**
   * @typedef {{period: string[], tonnes: number[], basis: string[], kind: string[], error: number[]}} History
   * @typedef {{period: string[], p10: number[], p50: number[], p90: number[]}} Forecast
   * @typedef {{day: string, title: string, state: string, symbol: string, address: string}} Act
   * @typedef {{asOf: string, period: string[], p50: number[]}} Earlier
   * @typedef {{name: string, asOf: string, history: History, forecast: Forecast,
   *            earlier: Earlier[], events: Act[]}} Numbers
   */

  const MOST = 4; // destinations at once
  const PHONE_PX = 700;
  const COLOURS = ["median", "restrictive", "easing", "scenario"];

  const box = /** @type {HTMLDetailsElement | null} */ (document.getElementById("explore"));
  if (!box) return;
  const chart = /** @type {HTMLElement} */ (document.getElementById("explore-chart"));
  const months = /** @type {HTMLInputElement} */ (document.getElementById("explore-month"));
  const says = /** @type {HTMLElement} */ (document.getElementById("explore-month-says"));
  const base = /** @type {HTMLElement} */ (document.getElementById("explore-base"));
  const compare = /** @type {HTMLSelectElement} */ (box.querySelector("[name=compare]"));
  const clear = /** @type {HTMLButtonElement} */ (box.querySelector("[name=clear]"));
  const names = /** @type {Record<string, string>} */ (JSON.parse(box.dataset.names || "{}"));
  const own = box.dataset.destination || "";
  const phrases = /** @type {Record<string, string>} */ (JSON.parse(box.dataset.words || "{}"));
  const language = document.documentElement.lang;

  /** A phrase of the page's language, with its placeholders filled.
   * @param {string} name @param {Record<string, string>} values @returns {string} */
  const phrase = (name, values = {}) =>
    phrases[name].replace(/\{(\w+)\}/g, (_, key) => values[key]);

  /** @type {Map<string, Numbers>} */
  const shown = new Map();

  /** @param {string} name @returns {boolean} */
  const ticked = (name) => /** @type {HTMLInputElement} */ (box.querySelector(`[name=${name}]`)).checked;

  /** @param {string} name @returns {string} */
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--c-${name}`).trim();

  /** Tonnes as the tables write them. @param {number} value @returns {string} */
  const tonnes = (value) => {
    const few = Math.abs(value) > 0 && Math.abs(value) < 10 ? 1 : 0;
    return value.toLocaleString(language, { minimumFractionDigits: few, maximumFractionDigits: few });
  };

  /** Text for Plotly, which reads markup. @param {string} text @returns {string} */
  const plain = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");

  /** @param {string} period @returns {string} */
  const monthName = (period) =>
    new Date(`${period}-01T00:00Z`).toLocaleDateString(language, { month: "long", year: "numeric", timeZone: "UTC" });

  /** The year whose average is 100: the last whole one that lies a year before the forecast.
   * @param {Numbers} numbers @returns {string} */
  const baseYear = (numbers) => String(Number(numbers.asOf.slice(0, 4)) - 2);

  /** What a tonne counts: 1, or 100 over the average month of the base year.
   * @param {Numbers} numbers @returns {number} */
  const unit = (numbers) => {
    if (!ticked("indexed")) return 1;
    const year = baseYear(numbers);
    const values = numbers.history.tonnes.filter((_, at) => numbers.history.period[at].startsWith(year));
    const total = values.reduce((sum, value) => sum + value, 0);
    return total > 0 ? (100 * values.length) / total : NaN;
  };

  /** All months of the destination itself, oldest first. @returns {string[]} */
  const periods = () => {
    const numbers = shown.get(own);
    return numbers ? [...new Set([...numbers.history.period, ...numbers.forecast.period])].sort() : [];
  };

  /** What is published, estimated or forecast of one month of one destination, in words.
   * @param {Numbers} numbers @param {string} period @returns {string} */
  const words = (numbers, period) => {
    const said = [];
    const past = numbers.history.period.indexOf(period);
    if (past >= 0) said.push(phrase("past", { tonnes: tonnes(numbers.history.tonnes[past]), basis: numbers.history.basis[past] }));
    const ahead = numbers.forecast.period.indexOf(period);
    if (ahead >= 0) {
      const { p10, p50, p90 } = numbers.forecast;
      said.push(phrase("ahead", { p50: tonnes(p50[ahead]), p10: tonnes(p10[ahead]), p90: tonnes(p90[ahead]) }));
    }
    return `${numbers.name} ${said.join("; ") || phrase("none")}`;
  };

  /** Read one month out. @param {number} at */
  const read = (at) => {
    const period = periods()[at];
    if (!period) return;
    months.value = String(at);
    const acts = (shown.get(own)?.events || []).filter((act) => act.day.startsWith(period));
    const lines = [...shown.values()].map((numbers) => words(numbers, period));
    says.textContent = `${monthName(period)}: ${[...lines, ...acts.map((act) => act.title.replace(/\.$/, ""))].join(". ")}.`;
    months.setAttribute("aria-valuetext", says.textContent);
  };

  /** @param {Numbers} numbers @param {number} place @returns {object[]} */
  const traces = (numbers, place) => {
    const ink = colour(COLOURS[place]);
    const per = unit(numbers);
    const { history, forecast } = numbers;
    /** @param {number[]} values */
    const scaled = (values) => values.map((value) => value * per);
    const day = (/** @type {string} */ period) => `${period}-15`;
    /** @type {object[]} */
    const found = [];
    // Lines end with the world's last month; what is published of later ones are dots alone.
    const before = history.period.filter((period) => period < forecast.period[0]).map(day);
    const past = history.tonnes.slice(0, before.length);
    if (ticked("band")) {
      const edge = { mode: "lines", line: { width: 0 }, showlegend: false, hoverinfo: "skip", x: forecast.period.map(day) };
      if (!place) {
        const doubt = { ...edge, x: before };
        found.push({ ...doubt, y: scaled(past.map((value, at) => Math.max(value - history.error[at], 0))) });
        found.push({ ...doubt, y: scaled(past.map((value, at) => value + history.error[at])), fill: "tonexty", fillcolor: colour("doubt") });
      }
      found.push({ ...edge, y: scaled(forecast.p10) });
      found.push({ ...edge, y: scaled(forecast.p90), fill: "tonexty", opacity: 0.4,
        fillcolor: place ? undefined : colour("band80"), name: phrase("band of", { name: plain(numbers.name) }) });
    }
    if (ticked("earlier") && place === 0) {
      numbers.earlier.forEach((one, at) => found.push({ x: one.period.map(day), y: scaled(one.p50), mode: "lines",
        line: { color: colour("earlier"), width: 1 }, name: phrase("earlier"), legendgroup: "earlier",
        showlegend: at === 0, hovertemplate: `${phrase("as of", { tonnes: "%{y:,.0f}", day: one.asOf })}<extra></extra>` }));
    }
    const pen = place ? ink : colour("history");
    const line = { x: before, mode: "lines", legendgroup: numbers.name, showlegend: false, hoverinfo: "skip" };
    found.push({ ...line, y: scaled(past), line: { color: pen, width: 1.2, dash: "dot" } });
    found.push({ ...line, y: scaled(past).map((value, at) => (history.kind[at] === "estimated" ? null : value)), line: { color: pen, width: 1.5 } });
    found.push({ x: history.period.map(day), y: scaled(history.tonnes), customdata: history.basis,
      mode: "markers", name: shown.size > 1 ? plain(numbers.name) : phrase("past months"), legendgroup: numbers.name,
      marker: { color: pen, size: history.kind.map((how) => (how === "estimated" ? 1 : 6)),
        symbol: history.kind.map((how) => (how === "observed" ? "circle" : "circle-open")) },
      hovertemplate: "%{y:,.0f}, %{customdata}<extra>%{fullData.name}</extra>" });
    found.push({ x: forecast.period.map(day), y: scaled(forecast.p50), mode: "lines",
      name: shown.size > 1 ? phrase("median of", { name: plain(numbers.name) }) : phrase("median"), legendgroup: numbers.name, showlegend: shown.size === 1,
      customdata: forecast.p10.map((low, at) => phrase("band", { p10: tonnes(low * per), p90: tonnes(forecast.p90[at] * per) })),
      line: { color: ink, width: 2.5, dash: place ? "dash" : "solid" },
      hovertemplate: "%{y:,.0f}, %{customdata}<extra>%{fullData.name}</extra>" });
    return found;
  };

  /** @param {Act[]} acts @returns {object} */
  const actTrace = (acts) => ({ x: acts.map((act) => act.day), y: acts.map(() => 0.5), yaxis: "y2", mode: "markers",
    customdata: acts.map((act) => act.address), text: acts.map((act) => plain(act.title)),
    marker: { size: 11, line: { width: 1.5 },
      color: acts.map((act) => colour("▲△".includes(act.symbol) ? "easing" : "restrictive")),
      symbol: acts.map((act) => ({ "▼": "triangle-down", "▽": "triangle-down-open", "▲": "triangle-up" })[act.symbol] || "triangle-up-open") },
    name: phrase("events"), hovertemplate: "%{text}<extra></extra>" });

  /** @returns {object} */
  const layout = () => {
    const all = periods();
    const narrow = box.clientWidth < PHONE_PX;
    const from = all[Math.max(all.length - (narrow ? 20 : 51), 0)];
    const axis = { gridcolor: colour("grid"), linecolor: colour("muted"), zeroline: false };
    return {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", hovermode: "x unified", uirevision: "kept",
      font: { color: colour("ink"), family: "system-ui, sans-serif", size: 13 },
      hoverlabel: { bgcolor: colour("paper"), bordercolor: colour("muted") },
      modebar: { bgcolor: "rgba(0,0,0,0)", color: colour("muted"), activecolor: colour("ink") },
      margin: { l: 56, r: 8, t: 28, b: 30 }, legend: { orientation: "h", y: -0.12 },
      xaxis: { ...axis, type: "date", hoverformat: phrase("month format"), range: [`${from}-01`, `${all[all.length - 1]}-28`],
        rangeselector: { bgcolor: colour("grid"), activecolor: colour("band80"), font: { color: colour("ink") }, buttons: [
          { count: 2, step: "year", stepmode: "backward", label: phrase("2 years") },
          { count: 5, step: "year", stepmode: "backward", label: phrase("5 years") },
          { step: "all", label: phrase("all") }] } },
      yaxis: { ...axis, type: ticked("log") ? "log" : "linear", rangemode: "tozero", domain: [0, 0.9],
        title: { text: phrase(ticked("indexed") ? "index" : "tonnes") } },
      yaxis2: { domain: [0.93, 1], range: [0, 1], visible: false, fixedrange: true },
    };
  };

  /** Teach Plotly the months and separators of the page's language. Its own English, to which all
   * others fall back, has more than these. */
  const learn = () => {
    if (language === "en") return;
    /** @param {"long" | "short"} month @returns {string[]} */
    const named = (month) =>
      Array.from({ length: 12 }, (_, at) => new Date(Date.UTC(2026, at)).toLocaleDateString(language, { month, timeZone: "UTC" }));
    const parts = new Intl.NumberFormat(language).formatToParts(12345.6);
    const [thousands, decimal] = ["group", "decimal"].map((type) => parts.find((one) => one.type === type)?.value);
    // @ts-ignore: Plotly's script defines it
    Plotly.register({ moduleType: "locale", name: language, dictionary: {},
      format: { months: named("long"), shortMonths: named("short"), thousands, decimal } });
  };

  const draw = async () => {
    const numbers = shown.get(own);
    if (!numbers) return;
    const found = [...shown.values()].flatMap(traces);
    if (ticked("events") && numbers.events.length) found.push(actTrace(numbers.events));
    base.hidden = !ticked("indexed");
    base.textContent = phrase("base", { year: baseYear(numbers) });
    // @ts-ignore: Plotly's script defines it
    await Plotly.react(chart, found, layout(), { responsive: true, displaylogo: false, locale: language,
      showSendToCloud: false, plotlyServerURL: "",
      displayModeBar: language === "en" && box.clientWidth >= PHONE_PX,
      modeBarButtonsToRemove: ["toImage", "select2d", "lasso2d"] });
    box.dataset.drawn = String(found.length);
  };

  /** @param {string} code */
  const fetched = async (code) => {
    const answer = await fetch((box.dataset.source || "").replace("{}", code));
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
    shown.set(code, await answer.json());
  };

  /** @param {string} address @returns {Promise<void>} */
  const script = (address) =>
    new Promise((resolve, reject) => {
      const made = document.createElement("script");
      made.src = address;
      made.onload = () => resolve();
      made.onerror = () => reject(new Error(phrase("no script")));
      document.head.append(made);
    });

  const listActs = () => {
    const list = /** @type {HTMLElement} */ (document.getElementById("explore-events"));
    list.replaceChildren(...(shown.get(own)?.events || []).map((act) => {
      const item = document.createElement("li");
      const link = document.createElement("a");
      link.href = act.address;
      link.textContent = `${act.day}: ${act.title}`;
      item.append(`${act.symbol} `, link, ` (${act.state})`);
      return item;
    }));
  };

  const open = async () => {
    says.textContent = phrase("loading");
    await Promise.all([script(box.dataset.plotly || ""), fetched(own)]);
    for (const [code, name] of Object.entries(names)) if (code !== own) compare.add(new Option(name, code));
    months.max = String(periods().length - 1);
    learn();
    await draw();
    listActs();
    read(shown.get(own)?.history.period.length ?? 0);
    // @ts-ignore: Plotly adds it
    chart.on("plotly_hover", (/** @type {{points: {x: string}[]}} */ event) => {
      const at = periods().indexOf(String(event.points[0].x).slice(0, 7));
      if (at >= 0) read(at);
    });
    // @ts-ignore: Plotly adds it
    chart.on("plotly_click", (/** @type {{points: {customdata?: unknown}[]}} */ event) => {
      const act = event.points.find((one) => String(one.customdata).startsWith("/policy?"));
      if (act) location.assign(String(act.customdata));
    });
  };

  /** @param {unknown} err */
  const failed = (err) => {
    says.textContent = phrase("failed", { why: String(err instanceof Error ? err.message : err) });
  };

  box.hidden = false;
  box.addEventListener("toggle", () => {
    if (box.open && !shown.size) open().catch(failed);
  });
  box.addEventListener("change", (event) => {
    const changed = /** @type {HTMLInputElement} */ (event.target);
    if (changed === months) return;
    const added = changed === compare && compare.value && shown.size < MOST && !shown.has(compare.value);
    Promise.resolve(added ? fetched(compare.value) : undefined)
      .then(() => {
        clear.hidden = shown.size < 2;
        compare.disabled = shown.size >= MOST;
        read(Number(months.value));
        return draw();
      })
      .catch(failed);
  });
  months.addEventListener("input", () => read(Number(months.value)));
  clear.addEventListener("click", () => {
    for (const code of [...shown.keys()]) if (code !== own) shown.delete(code);
    compare.value = "";
    compare.disabled = false;
    clear.hidden = true;
    read(Number(months.value));
    draw().catch(failed);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw().catch(failed));
})();
