/**
 * One picture on its way to the server: checked, sent with progress, cancelled, tried again.
 * Owns the request; is given the XMLHttpRequest class; knows no page.
 */

/**
 * @typedef {{status: "uploading" | "done" | "failed", progress: number, imageId: string | null,
 *   answer: unknown, error: string, canRetry: boolean}} UploadState
 * @typedef {{text_chars: number, images_per_turn: number, upload_bytes: number,
 *   context_tokens: number}} Limits
 * @typedef {{key: string, values: Record<string, string | number>}} Refusal
 */

// Browsers often give HEIC and AVIF files no type at all.
const PICTURE_NAME = /\.(jpe?g|png|webp|gif|avif|heic|heif|bmp)$/i;

/**
 * Why a file cannot be uploaded, or null. SVG is a program, not a picture.
 * @param {{name: string, type: string, size: number}} file
 * @param {Limits} limits
 * @param {(bytes: number) => string} fileSize
 * @returns {Refusal | null}
 */
export function refusalOf(file, limits, fileSize) {
  const name = file.name;
  const isPicture = file.type ? file.type.startsWith("image/") : PICTURE_NAME.test(name);
  if (!isPicture || file.type === "image/svg+xml") return { key: "not_a_picture", values: { name } };
  if (file.size === 0) return { key: "picture_empty", values: { name } };
  if (file.size > limits.upload_bytes) {
    const values = { name, size: fileSize(file.size), limit: fileSize(limits.upload_bytes) };
    return { key: "picture_too_large", values };
  }
  return null;
}

export class Upload {
  /** @type {UploadState} */
  state = {
    status: "uploading",
    progress: 0,
    imageId: null,
    answer: null,
    error: "",
    canRetry: false,
  };
  #options;
  /** @type {any} */
  #request = null;

  /**
   * @param {{file: File, url: string, csrfToken(): string, XMLHttpRequest: any,
   *   onChange(upload: Upload): void}} options
   */
  constructor(options) {
    this.#options = options;
  }

  get file() {
    return this.#options.file;
  }

  /** Send the file, from its start. */
  start() {
    const request = new this.#options.XMLHttpRequest();
    this.#request = request;
    this.#set({ status: "uploading", progress: 0, error: "", canRetry: false });
    request.upload.onprogress = (/** @type {ProgressEvent} */ event) => {
      if (event.lengthComputable) this.#set({ progress: event.loaded / event.total });
    };
    request.onload = () => this.#loaded(request);
    request.onerror = request.ontimeout = () => this.#set({ status: "failed", canRetry: true });
    request.open("POST", this.#options.url);
    request.setRequestHeader("X-CSRFToken", this.#options.csrfToken());
    request.setRequestHeader("Accept", "application/json");
    const form = new FormData();
    form.append("file", this.file, this.file.name);
    request.send(form);
  }

  /** Stop sending; nothing is reported afterwards. */
  cancel() {
    const request = this.#request;
    this.#request = null;
    if (!request) return;
    request.onload = request.onerror = request.ontimeout = request.upload.onprogress = null;
    request.abort();
  }

  /** @param {any} request */
  #loaded(request) {
    let answer = null;
    try {
      answer = JSON.parse(request.responseText);
    } catch {
      // A proxy's page, not the API's answer.
    }
    if (request.status === 201 || request.status === 200) {
      this.#set({ status: "done", progress: 1, imageId: answer?.id ?? null, answer });
      return;
    }
    // A refused picture stays refused; a busy or broken server may take it later.
    const canRetry = request.status >= 500 || request.status === 429 || request.status === 403;
    this.#set({ status: "failed", error: answer?.error?.message ?? "", canRetry });
  }

  /** @param {Partial<UploadState>} change */
  #set(change) {
    this.state = { ...this.state, ...change };
    this.#options.onChange(this);
  }
}
