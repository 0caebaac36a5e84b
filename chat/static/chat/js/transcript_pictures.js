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

/**
 * How many pictures stand before a message, or before the end.
 * @param {Element} list
 * @param {string | null} id the message's
 * @returns {number}
 */
export function countPicturesBefore(list, id) {
  const messages = [...list.children];
  const place = id === null ? -1 : messages.findIndex((message) => /** @type {any} */ (message).dataset.message === id);
  return picturesOfEach(place === -1 ? messages : messages.slice(0, place)).flat().length;
}
