// Sliders of the what-if page, each with a field, and a result that follows them.
"use strict";

(() => {
  const PAUSE_MS = 200;

  const form = document.getElementById("levers");
  if (!form) return;
  const state = document.getElementById("levers-state");
  const language = document.documentElement.lang;
  const PAIR = ["tariffs.0.rate_pct", "tariffs.0.add_points"]; // of which one is typed and the other derived
  const sliders = [...form.querySelectorAll("input[type=range]")];
  let timer = 0;
  let asked = new AbortController();

  const field = (name) => form.elements.namedItem(name);
  const fieldOf = (slider) => field(slider.dataset.field);

  // None where a slider is of numbers.
  const daysOf = (slider) => (slider.dataset.days ? slider.dataset.days.split(" ") : []);

  const words = (slider) => {
    const days = daysOf(slider);
    if (!days.length) return Number(slider.value).toLocaleString(language);
    const day = new Date(`${days[slider.value]}T00:00Z`);
    return day.toLocaleDateString(language, { month: "long", year: "numeric", timeZone: "UTC" });
  };

  const show = (slider) => {
    const shown = document.getElementById(`${slider.dataset.field}-shown`);
    shown.hidden = fieldOf(slider).value === "" || !daysOf(slider).length;
    shown.textContent = words(slider);
    slider.setAttribute("aria-valuetext", words(slider));
  };

  const follow = (slider) => {
    const typed = fieldOf(slider).value;
    const days = daysOf(slider);
    const place = days.filter((day) => day.slice(0, 7) <= typed.slice(0, 7)).length - 1;
    const number = Number(typed.replace(",", "."));
    const start = slider.dataset.start || "0";
    slider.value = typed === "" ? start : String(days.length ? Math.max(place, 0) : number);
    show(slider);
  };

  // Writes a slider's value into its field, and a first month beside it where there is none.
  const lead = (slider) => {
    const days = daysOf(slider);
    const digits = Number(slider.value).toLocaleString(language, { useGrouping: false });
    fieldOf(slider).value = days.length ? days[slider.value] : digits;
    show(slider);
    if (slider.closest("[role=group]")) return; // of an act on record, whose days are known
    const month = sliders.find((one) => one.closest("fieldset") === slider.closest("fieldset") && daysOf(one).length);
    if (month && fieldOf(month).value === "") lead(month);
  };

  const renew = (page) => {
    for (const id of ["result", "figures", "languages", "laws", ...[...form.querySelectorAll(".wrong")].map((one) => one.id)]) {
      const [old, made] = [document.getElementById(id), page.getElementById(id)];
      if (old && made) old.replaceChildren(...made.childNodes);
    }
    for (const name of PAIR)
      field(name).placeholder = page.getElementById(name)?.placeholder || "";
    for (const field of form.elements)
      field.ariaInvalid = page.getElementById(field.id)?.ariaInvalid ?? null;
    state.textContent = document.querySelector("#result .lead")?.textContent || "";
    document.dispatchEvent(new Event("renewed"));
  };

  const ask = async () => {
    asked.abort();
    asked = new AbortController();
    const { signal } = asked;
    const shown = form.parentElement.parentElement;
    const query = new URLSearchParams([...new FormData(form)].filter(([, value]) => value !== ""));
    const address = `${form.getAttribute("action")}?${query}`;
    shown.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(address, { signal });
      renew(new DOMParser().parseFromString(await answer.text(), "text/html"));
      history.replaceState(null, "", address);
    } catch {
      if (signal.aborted) return;
      state.textContent = form.dataset.failed;
    }
    shown.removeAttribute("aria-busy");
  };

  for (const slider of sliders) {
    slider.hidden = false;
    follow(slider);
  }
  form.addEventListener("input", (event) => {
    const changed = event.target;
    if (changed.type === "range") lead(changed);
    else sliders.filter((slider) => fieldOf(slider) === changed).forEach(follow);
    const name = changed.dataset.field || changed.name;
    const other = PAIR.includes(name) && PAIR.find((one) => one !== name);
    if (other && field(name).value !== "") {
      field(other).value = "";
      sliders.filter((slider) => slider.dataset.field === other).forEach(follow);
    }
  });
  form.addEventListener("change", () => {
    clearTimeout(timer);
    timer = setTimeout(ask, PAUSE_MS);
  });
})();
