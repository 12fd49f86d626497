/** Puts the page together when the service has said which models there are. */

import { setUpAbout } from "./about.js";
import { getJson } from "./api.js";
import { Asking } from "./asking.js";
import { find } from "./dom.js";
import { setUpLive } from "./live.js";
import { setUpTabs } from "./tabs.js";
import { setUpTrying } from "./trying.js";

async function begin() {
  let models;
  try {
    ({ models } = await getJson("v1/models"));
  } catch (error) {
    const place = find("error");
    place.textContent = /** @type {Error} */ (error).message;
    place.hidden = false;
    return;
  }
  setUpTrying(new Asking(models));
  const about = setUpAbout(models);
  setUpLive(models);
  setUpTabs(document.querySelector("[role=tablist]") || document.body, name => name === "model" && about());
  document.documentElement.dataset.ready = "true";
}

begin();
