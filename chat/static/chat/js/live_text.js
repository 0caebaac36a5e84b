/**
 * The open text of an answer while it is written, in chunks that end at line ends: only the last one is
 * laid out anew when it grows, and a browser may leave out those out of sight. Owns what stands in the
 * open text's element; joined, the chunks are the text to the letter.
 */

export const CHUNK_CHARS = 1000;

/**
 * Append what is new instead of writing the whole text: a selection in it survives, and a long
 * answer costs no more than a short one.
 * @param {Element} body
 * @param {string} text
 */
export function growText(body, text) {
  const shown = body.textContent ?? "";
  // What the server drew on a reload can be ahead of what has come over the socket.
  if (shown.length >= text.length && shown.startsWith(text)) return;
  const open = openChunk(body);
  if (open && text.startsWith(shown)) {
    const [more, ...chunks] = cut(open.data, text.slice(shown.length));
    open.appendData(more);
    addChunks(body, chunks);
  } else {
    body.replaceChildren();
    addChunks(body, cut("", text));
  }
}

/**
 * Take away what stands before the text, its end: what was rendered meanwhile. A selection in what is
 * left survives.
 * @param {Element} body
 * @param {string} text
 */
export function dropText(body, text) {
  const shown = body.textContent ?? "";
  if (!shown.endsWith(text)) return;
  let surplus = shown.length - text.length;
  while (surplus > 0 && body.firstChild) {
    const first = body.firstChild;
    const inner = first.firstChild ?? first;
    const size = inner.nodeValue?.length ?? 0;
    if (size > surplus && inner instanceof Text) inner.deleteData(0, surplus);
    else first.remove();
    surplus -= size;
  }
}

/**
 * Cut new text where chunks end: behind a line end, once a chunk is long enough. The next one begins
 * with its first character, so that the end of the text is always within the last chunk.
 * @param {string} open the last chunk so far
 * @param {string} added
 * @returns {string[]} first what belongs to the open chunk, perhaps nothing
 */
export function cut(open, added) {
  const parts = [""];
  let size = open.length;
  let isFull = size >= CHUNK_CHARS && open.endsWith("\n");
  for (let rest = added; rest; ) {
    if (isFull) {
      parts.push("");
      size = 0;
    }
    const lineEnd = rest.indexOf("\n", Math.max(0, CHUNK_CHARS - 1 - size)) + 1;
    const part = rest.slice(0, lineEnd || rest.length);
    parts[parts.length - 1] += part;
    size += part.length;
    isFull = lineEnd > 0;
    rest = rest.slice(part.length);
  }
  return parts;
}

/** @param {Element} body @param {string[]} texts */
function addChunks(body, texts) {
  for (const text of texts) {
    const chunk = document.createElement("div");
    chunk.className = "live-chunk";
    chunk.append(text);
    body.append(chunk);
  }
}

/** The text of the last chunk; null where something else stands in the body. @param {Element} body */
function openChunk(body) {
  if (body.childElementCount !== body.childNodes.length) return null;
  if (![...body.children].every(({ className }) => className === "live-chunk")) return null;
  const open = body.lastElementChild?.firstChild;
  return open instanceof Text ? open : null;
}
