// Shows what a reader must know from a day on: the page was written before that day.
"use strict";

(() => {
  const today = new Date().toISOString().slice(0, 10);
  for (const notice of document.querySelectorAll("[data-from]"))
    notice.hidden = notice.dataset.from > today;
})();
