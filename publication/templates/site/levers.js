// @ts-check
// The levers of the what-if page: sliders that share their value with a field, and a result that
// follows them. The server renders everything; without this script the form is sent by its button.
"use strict";

(() => {
  const PAUSE_MS = 200; // the wait for a further change before one is sent

  const form = /** @type {HTMLFormElement | null} */ (document.getElementById("levers"));
  if (!form) return;
  const state = /** @type {HTMLElement} */ (document.getElementById("levers-state"));
  const language = document.documentElement.lang;
  const PAIR = ["tariff_rate", "tariff_points"]; // of which one is typed and the other derived
  const sliders = /** @type {HTMLInputElement[]} */ ([...form.querySelectorAll("input[type=range]")]);
  let timer = 0;
  let asked = new AbortController();

  /** @param {string} name @returns {HTMLInputElement} */
  const field = (name) => /** @type {HTMLInputElement} */ (form.elements.namedItem(name));

  /** @param {HTMLInputElement} slider @returns {HTMLInputElement} */
  const fieldOf = (slider) => field(slider.dataset.field || "");

  /** Days a slider chooses from; none where it slides over numbers.
   * @param {HTMLInputElement} slider @returns {string[]} */
  const daysOf = (slider) => (slider.dataset.days ? slider.dataset.days.split(" ") : []);

  /** What a slider's position reads as. @param {HTMLInputElement} slider @returns {string} */
  const words = (slider) => {
    const days = daysOf(slider);
    if (!days.length) return Number(slider.value).toLocaleString(language);
    const day = new Date(`${days[Number(slider.value)]}T00:00Z`);
    return day.toLocaleDateString(language, { month: "long", year: "numeric", timeZone: "UTC" });
  };

  /** Show what a slider says; nothing while its field is empty. @param {HTMLInputElement} slider */
  const show = (slider) => {
    const shown = /** @type {HTMLElement} */ (document.getElementById(`${slider.dataset.field}-shown`));
    shown.hidden = fieldOf(slider).value === "" || !daysOf(slider).length;
    shown.textContent = words(slider);
    slider.setAttribute("aria-valuetext", words(slider));
  };

  /** Move a slider to where its field is. @param {HTMLInputElement} slider */
  const follow = (slider) => {
    const typed = fieldOf(slider).value;
    const days = daysOf(slider);
    const place = days.filter((day) => day.slice(0, 7) <= typed.slice(0, 7)).length - 1;
    const number = Number(typed.replace(",", "."));
    const start = slider.dataset.start || "0";
    slider.value = typed === "" ? start : String(days.length ? Math.max(place, 0) : number);
    show(slider);
  };

  /** Write a slider's value into its field, and a first month beside it where there is none.
   * @param {HTMLInputElement} slider */
  const lead = (slider) => {
    const days = daysOf(slider);
    const digits = Number(slider.value).toLocaleString(language, { useGrouping: false });
    fieldOf(slider).value = days.length ? days[Number(slider.value)] : digits;
    show(slider);
    const month = sliders.find((one) => one.closest("fieldset") === slider.closest("fieldset") && daysOf(one).length);
    if (month && fieldOf(month).value === "") lead(month);
  };

  /** Take over what the server says of each field.
   * @param {Document} page */
  const renew = (page) => {
    for (const id of ["result", "figures", "languages", "laws", ...[...form.querySelectorAll(".wrong")].map((one) => one.id)]) {
      const [old, made] = [document.getElementById(id), page.getElementById(id)];
      if (old && made) old.replaceChildren(...made.childNodes);
    }
    for (const name of PAIR)
      field(name).placeholder = page.querySelector(`#${name}`)?.getAttribute("placeholder") || "";
    for (const field of form.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
    for (const field of page.querySelectorAll("#levers [aria-invalid]"))
      document.getElementById(field.id)?.setAttribute("aria-invalid", "true");
    state.textContent = document.querySelector("#result .lead")?.textContent || "";
    document.dispatchEvent(new Event("renewed"));
  };

  const ask = async () => {
    asked.abort();
    asked = new AbortController();
    const { signal } = asked;
    const shown = /** @type {HTMLElement} */ (form.parentElement?.parentElement);
    const filled = [...new FormData(form)].filter(([, value]) => value !== "");
    const query = new URLSearchParams(/** @type {[string, string][]} */ (filled));
    const address = `${form.getAttribute("action")}?${query}`;
    shown.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(address, { signal });
      renew(new DOMParser().parseFromString(await answer.text(), "text/html"));
      history.replaceState(null, "", address);
    } catch (err) {
      if (signal.aborted) return;
      state.textContent = form.dataset.failed || "";
    }
    shown.removeAttribute("aria-busy");
  };

  const askSoon = () => {
    clearTimeout(timer);
    timer = setTimeout(ask, PAUSE_MS);
  };

  for (const slider of sliders) {
    slider.hidden = false;
    follow(slider);
  }
  form.addEventListener("input", (event) => {
    const changed = /** @type {HTMLInputElement} */ (event.target);
    if (changed.type === "range") lead(changed);
    else sliders.filter((slider) => fieldOf(slider) === changed).forEach(follow);
    const name = changed.dataset.field || changed.name;
    const other = PAIR.find((one) => PAIR.includes(name) && one !== name);
    if (other && field(name).value !== "") {
      field(other).value = "";
      sliders.filter((slider) => slider.dataset.field === other).forEach(follow);
    }
  });
  form.addEventListener("change", askSoon);
})();
