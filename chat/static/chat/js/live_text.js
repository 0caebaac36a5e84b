/**
 * The text of an answer while it is written. Owns what stands in the answer's body until then.
 */

/**
 * Append what is new instead of writing the whole text: a selection in it survives, and a long
 * answer costs no more than a short one.
 * @param {Element} body
 * @param {string} text
 */
export function growText(body, text) {
  const node = body.firstChild;
  const shown = body.textContent ?? "";
  // What the server drew on a reload can be ahead of what has come over the socket.
  if (shown.length >= text.length && shown.startsWith(text)) return;
  if (node instanceof Text && body.childNodes.length === 1 && text.startsWith(node.data)) {
    node.appendData(text.slice(node.length));
  } else {
    body.textContent = text;
  }
}
