/**
 * The pictures of the transcript, in the order in which the prompt numbers them. Owns nothing.
 */

/** @typedef {{id: string, url: string}} Picture */

/**
 * The pictures of each message.
 * @param {Element[]} messages
 * @returns {Picture[][]}
 */
export function picturesOfEach(messages) {
  return messages.map((message) =>
    [...message.querySelectorAll("[data-picture]")].map((place) => ({
      id: /** @type {any} */ (place).dataset.picture,
      url: /** @type {any} */ (place).dataset.full,
    })),
  );
}
