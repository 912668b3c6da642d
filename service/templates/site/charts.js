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
  document.addEventListener("renewed", watch);
  watch();
})();
