/** Many buttons, one stop of the Tab key: arrows, Home and End move among them, as in a toolbar. */

/** @param {Element} place @param {(HTMLElement | SVGElement)[]} items that lie in it, in order */
export function rove(place, items) {
  let at = 0;
  items.forEach((item, i) => (item.tabIndex = i === at ? 0 : -1));
  place.addEventListener("focusin", event => {
    const found = items.indexOf(/** @type {any} */ (event.target));
    if (found < 0) return;
    items[at].tabIndex = -1;
    items[(at = found)].tabIndex = 0;
  });
  place.addEventListener("keydown", (/** @type {any} */ event) => {
    const to = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[/** @type {string} */ (event.key)];
    if (to === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    items[Math.max(0, Math.min(items.length - 1, to))]?.focus();
  });
}
