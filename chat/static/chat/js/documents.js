/**
 * PDFs on their way from a person's files to the page chooser, and its pictures back to the composer.
 * The two ends know each other by events alone: the composer need not know of PDFs.
 */

/** On the composer's form: `detail` is the PDF that was chosen, dropped or pasted. */
export const DOCUMENT_GIVEN = "document-given";
/** On the list of attachments: `detail` is the pictures to attach, `{id, name}` each. */
export const PICTURES_TAKEN = "pictures-taken";

/**
 * Hand the PDFs among some files to whoever listens on the form.
 * @param {HTMLElement} form
 * @param {File[]} files
 * @returns {File[]} the other files
 */
export function divertDocuments(form, files) {
  for (const file of files.filter(isDocument)) {
    form.dispatchEvent(new CustomEvent(DOCUMENT_GIVEN, { detail: file }));
  }
  return files.filter((file) => !isDocument(file));
}

/** @param {{type: string, name: string}} file */
function isDocument({ type, name }) {
  return type === "application/pdf" || (!type && /\.pdf$/i.test(name));
}
