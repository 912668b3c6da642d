// @ts-check
// Draws each chart of a page from its description when it comes into view. Without this script, or
// where it fails, the page shows the picture that the server draws.
"use strict";

(() => {
  const own = /** @type {HTMLScriptElement} */ (document.currentScript);
  /** @type {Promise<void> | undefined} */
  let library;

  const load = () => {
    library ??= new Promise((resolve, reject) => {
      const made = document.createElement("script");
      made.src = own.dataset.library || "";
      made.onload = () => resolve();
      made.onerror = () => reject(new Error("no library"));
      document.head.append(made);
    });
    return library;
  };

  /** @type {Element | undefined} */
  let pointed;

  /** Shows the words of a mark as a pointer over it does, or none; a touch has no such pointer.
   * @param {Element} [mark] @param {number} [clientX] @param {number} [clientY] */
  const point = (mark, clientX, clientY) => {
    const send = (/** @type {Element | undefined} */ to, /** @type {string} */ type) =>
      to?.dispatchEvent(new PointerEvent(type, { bubbles: true, clientX, clientY }));
    send(pointed, "pointerout");
    send(pointed, "mouseout"); // hides the words
    pointed = mark;
    send(mark, "pointerover");
    send(mark, "pointermove");
  };

  /** Goes to the mark of an arrow key, from left to right.
   * @param {HTMLElement} place @param {KeyboardEvent} event */
  const walk = (place, event) => {
    if (event.key === "Escape") point();
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const at = (/** @type {Element} */ one) => one.getBoundingClientRect();
    const marks = /** @type {SVGElement[]} */ ([...place.querySelectorAll('[role="graphics-symbol"][aria-label]')])
      .filter((one) => at(one).left >= at(place).left)
      .sort((one, other) => at(one).left - at(other).left);
    const now = marks.indexOf(/** @type {SVGElement} */ (document.activeElement));
    const mark = marks[now < 0 && step < 0 ? marks.length - 1 : now + step];
    if (!mark) return;
    mark.setAttribute("tabindex", "-1");
    mark.focus();
    point(mark, at(mark).right, at(mark).top);
  };

  /** @param {HTMLElement} figure */
  const draw = async (figure) => {
    const [answer] = await Promise.all([fetch(figure.dataset.chart || ""), load()]);
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
    const place = document.createElement("div");
    figure.querySelector("noscript")?.before(place);
    // @ts-ignore: the library adds it
    await vegaEmbed(place, await answer.json(), {
      actions: false,
      ast: true,
      defaultStyle: false,
      renderer: "svg",
      tooltip: { disableDefaultStyle: true },
    });
    place.tabIndex = 0;
    place.role = "group";
    place.ariaLabel = figure.dataset.keys || "";
    place.addEventListener("keydown", (event) => walk(place, event));
    place.addEventListener("blur", () => point(), true);
    figure.dataset.drawn = "";
  };

  /** @param {HTMLElement} figure */
  const picture = (figure) => {
    figure.querySelector("div")?.remove();
    const kept = figure.querySelector("noscript");
    kept?.insertAdjacentHTML("beforebegin", kept.innerHTML);
  };

  const seen = new IntersectionObserver(
    (entries) => {
      for (const { isIntersecting, target } of entries) {
        if (!isIntersecting) continue;
        seen.unobserve(target);
        const figure = /** @type {HTMLElement} */ (target);
        draw(figure).catch(() => picture(figure));
      }
    },
    { rootMargin: "100px" },
  );

  const watch = () => document.querySelectorAll("figure[data-chart]:not([data-drawn])").forEach((one) => seen.observe(one));
  document.addEventListener("click", (event) => {
    const mark = /** @type {Element} */ (event.target);
    point(mark.closest(".vega-embed svg") ? mark : undefined, event.clientX, event.clientY);
  });
  document.addEventListener("renewed", watch);
  watch();
})();
