/** Asks for the service's token; it is kept in the memory of this page alone. */

import { find } from "./dom.js";

/** @type {Promise<string> | null} */
let asking = null;

/** @param {boolean} refused whether one was given and is not the service's @returns {Promise<string>} "" where none is given */
export function askToken(refused) {
  asking ??= new Promise(resolve => {
    const dialog = find("token-dialog");
    const field = find("token");
    field.value = "";
    find("token-refused").hidden = !refused;
    dialog.returnValue = "";
    dialog.addEventListener("close", () => {
      asking = null;
      resolve(dialog.returnValue === "ok" ? field.value.trim() : "");
    }, { once: true });
    dialog.showModal();
  });
  return asking;
}
