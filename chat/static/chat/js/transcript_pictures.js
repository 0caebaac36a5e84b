/**
 * The pictures of the transcript, in the order in which the prompt numbers them. Owns nothing.
 */

/** @typedef {{id: string, url: string}} Picture */

/**
 * All pictures of the conversation, also those that stand before what is shown.
 * @param {any} list the transcript's messages
 * @param {Element[]} messages those of them that count
 * @returns {Picture[][]} of each message, those before it first
 */
export function picturesUpTo(list, messages) {
  const ids = earlierIds(list);
  const place = (/** @type {string} */ id) => ({ id, url: `${list.dataset.imagesUrl}${id}/?size=full` });
  return [ids.map(place), ...picturesOfEach(messages)];
}

/**
 * Some of the messages before are shown now.
 * @param {any} list
 * @param {Element[]} messages
 */
export function tookEarlier(list, messages) {
  const count = picturesOfEach(messages).flat().length;
  const ids = earlierIds(list);
  list.dataset.earlierPictures = ids.slice(0, ids.length - count).join(" ");
}

/** @param {any} list @returns {string[]} */
function earlierIds(list) {
  return (list.dataset.earlierPictures ?? "").split(" ").filter(Boolean);
}

/**
 * @param {Element[]} messages
 * @returns {Picture[][]}
 */
function picturesOfEach(messages) {
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
