/** The price of the question being written, beside the send button. Owns nothing. */

import { find, setText } from "./dom.js";
import { obstacleOf, priceWords, sumOf } from "./price.js";

/**
 * Show what the pictures cost, and what to do where all of it does not fit the model.
 * @param {HTMLElement} form
 * @param {import("./price.js").Need} need
 */
export function showPrice(form, need) {
  const sum = sumOf(need.pictures, String(need.options.pixels));
  setText(find("price", form), sum ? priceWords(sum).join(" · ") : "");
  const obstacle = obstacleOf(need);
  find("context", form).hidden = !obstacle;
  setText(find("context-text", form), obstacle);
}
