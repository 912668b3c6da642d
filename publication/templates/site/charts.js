// Draws each chart of a page from its description when it comes into view, and offers it as files.
"use strict";

(() => {
  const own = document.currentScript;
  let library;

  const load = () => {
    library ??= new Promise((resolve, reject) => {
      const made = document.createElement("script");
      made.src = own.dataset.library;
      made.onload = resolve;
      made.onerror = reject;
      document.head.append(made);
    });
    return library;
  };

  let pointed;

  // Shows the words of a mark, or none; a touch has no pointer.
  const point = (mark, clientX, clientY) => {
    const send = (to, type) =>
      to?.dispatchEvent(new PointerEvent(type, { bubbles: true, clientX, clientY }));
    send(pointed, "pointerout");
    send(pointed, "mouseout"); // hides the words
    pointed = mark;
    send(mark, "pointerover");
    send(mark, "pointermove");
  };

  const walk = (place, event) => {
    if (event.key === "Escape") point();
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const at = (one) => one.getBoundingClientRect();
    const marks = [...place.querySelectorAll('[role="graphics-symbol"][aria-label]')]
      .filter((one) => at(one).left >= at(place).left)
      .sort((one, other) => at(one).left - at(other).left);
    const now = marks.indexOf(document.activeElement);
    const mark = marks[now < 0 && step < 0 ? marks.length - 1 : now + step];
    if (!mark) return;
    mark.setAttribute("tabindex", "-1");
    mark.focus();
    point(mark, at(mark).right, at(mark).top);
  };

  // No text is read as a formula.
  const csvCell = (cell) => {
    const text = String(cell ?? "");
    const harmless = typeof cell === "string" && /^[=+\-@\t\r\n＝＋－＠]/.test(text) ? `'${text}` : text;
    return /[",\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
  };
  const csv = (table) => table.map((row) => row.map(csvCell).join(",")).join("\n");

  const offer = (figure, view, description) => {
    const makers = {
      png: () => view.toImageURL("png", 2),
      svg: async () => URL.createObjectURL(new Blob([await view.toSVG()], { type: "image/svg+xml" })),
      csv: async () => URL.createObjectURL(new Blob([csv(description.usermeta.table)], { type: "text/csv" })),
    };
    const caption = document.createElement("figcaption");
    caption.className = "files";
    for (const [form, make] of Object.entries(makers)) {
      const link = document.createElement("a");
      link.href = "#";
      link.textContent = form.toUpperCase();
      link.addEventListener("click", async (event) => {
        event.preventDefault();
        const saved = document.createElement("a");
        saved.href = await make();
        saved.download = `${figure.dataset.file}.${form}`;
        saved.click();
      });
      caption.append(link, " ");
    }
    figure.append(caption);
  };

  const draw = async (figure) => {
    figure.dataset.drawn = "";
    const description = JSON.parse(figure.querySelector("script").textContent);
    await load();
    const place = document.createElement("div");
    place.className = "chart";
    figure.prepend(place);
    const { view } = await vegaEmbed(place, description, {
      actions: false,
      ast: true,
      defaultStyle: false,
      renderer: "svg",
      tooltip: { disableDefaultStyle: true },
    });
    figure.querySelector(".still")?.remove();
    place.tabIndex = 0;
    place.role = "group";
    place.ariaLabel = figure.dataset.keys;
    place.addEventListener("keydown", (event) => walk(place, event));
    place.addEventListener("blur", () => point(), true);
    offer(figure, view, description);
  };

  const seen = new IntersectionObserver(
    (entries) => {
      for (const { isIntersecting, target } of entries) {
        if (!isIntersecting) continue;
        seen.unobserve(target);
        draw(target).catch(() => target.querySelector(".chart")?.remove());
      }
    },
    { rootMargin: "100px" },
  );

  const watch = () => document.querySelectorAll("figure.drawn:not([data-drawn])").forEach((one) => seen.observe(one));
  document.addEventListener("click", (event) => {
    const mark = event.target;
    point(mark.closest(".vega-embed svg") ? mark : undefined, event.clientX, event.clientY);
  });
  document.addEventListener("renewed", watch);
  watch();
})();
