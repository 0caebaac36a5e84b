/**
 * From the pictures of the transcript to the composer: opens the viewer, and takes what somebody
 * points at there into the next question. Owns the viewer.
 */

import { find, onWithin } from "./dom.js";
import { regionWords } from "./region.js";
import { say } from "./texts.js";
import { picturesUpTo } from "./transcript_pictures.js";
import { Viewer } from "./viewer.js";

/**
 * Watch the transcript's pictures.
 * @param {Element} list
 * @param {{answerer(): {model: string, detail: string}, insert(text: string): void,
 *   addPictures(files: File[]): void}} options `answerer` is whose coordinates are written
 * @returns {Viewer}
 */
export function watchPictures(list, { answerer, insert, addPictures }) {
  const viewer = new Viewer(find("viewer"), {
    pictures: () => picturesUpTo(list, [...list.children]).flat(),
    onAsk: (region, picture) => insert(regionWords(region, picture, answerer())),
    onCrop: (cut) => addPictures([new File([cut], say("cut_name"), { type: cut.type })]),
  });
  onWithin(list, "click", "picture", ({ dataset }) => viewer.open(dataset.picture));
  return viewer;
}
