import assert from "node:assert/strict";
import { test } from "node:test";

import { Upload, refusalOf } from "../../chat/static/chat/js/uploads.js";

const limits = { text_chars: 10, images_per_turn: 2, upload_bytes: 100 };
const size = (bytes) => `${bytes} B`;

for (const [name, file, key] of [
  ["a PNG passes", { name: "a.png", type: "image/png", size: 9 }, null],
  ["a HEIC without a type passes", { name: "a.HEIC", type: "", size: 9 }, null],
  ["a text is no picture", { name: "a.txt", type: "text/plain", size: 9 }, "not_a_picture"],
  ["an unknown file is no picture", { name: "a.bin", type: "", size: 9 }, "not_a_picture"],
  ["an SVG is no picture", { name: "a.svg", type: "image/svg+xml", size: 9 }, "not_a_picture"],
  ["an empty file is refused", { name: "a.png", type: "image/png", size: 0 }, "picture_empty"],
  ["a large file is refused", { name: "a.png", type: "image/png", size: 101 }, "picture_too_large"],
]) {
  test(name, () => assert.equal(refusalOf(file, limits, size)?.key ?? null, key));
}

class FakeRequest {
  upload = {};
  headers = {};

  open(method, url) {
    this.asked = `${method} ${url}`;
  }

  setRequestHeader(name, value) {
    this.headers[name] = value;
  }

  send(form) {
    this.form = form;
  }

  abort() {
    this.isAborted = true;
  }

  answer(status, body) {
    this.status = status;
    this.responseText = typeof body === "string" ? body : JSON.stringify(body);
    this.onload();
  }
}

function start() {
  const requests = [];
  const states = [];
  const upload = new Upload({
    file: new File(["x"], "a.png", { type: "image/png" }),
    url: "/api/images/",
    csrfToken: () => "token",
    XMLHttpRequest: class extends FakeRequest {
      constructor() {
        super();
        requests.push(this);
      }
    },
    onChange: ({ state }) => states.push(state),
  });
  upload.start();
  return { upload, requests, states, request: requests[0] };
}

test("a picture is sent with the token and its progress is told", () => {
  const { request, upload } = start();
  request.upload.onprogress({ lengthComputable: true, loaded: 1, total: 4 });
  assert.equal(request.asked, "POST /api/images/");
  assert.equal(request.headers["X-CSRFToken"], "token");
  assert.equal(request.form.get("file").name, "a.png");
  assert.equal(upload.state.progress, 0.25);
});

test("the answer's id is kept", () => {
  const { request, upload } = start();
  request.answer(201, { id: "image-1" });
  assert.deepEqual([upload.state.status, upload.state.imageId], ["done", "image-1"]);
});

test("a refusal says why and cannot be tried again", () => {
  const { request, upload } = start();
  request.answer(422, { error: { code: "image_unreadable", message: "Cannot be read." } });
  assert.deepEqual([upload.state.error, upload.state.canRetry], ["Cannot be read.", false]);
});

test("a broken server's page is no reason, and can be tried again", () => {
  const { request, requests, upload } = start();
  request.answer(502, "<html>Bad gateway</html>");
  assert.deepEqual([upload.state.error, upload.state.canRetry], ["", true]);
  upload.start();
  requests[1].answer(201, { id: "image-1" });
  assert.equal(upload.state.status, "done");
});

test("a lost connection can be tried again", () => {
  const { request, upload } = start();
  request.onerror();
  assert.deepEqual([upload.state.status, upload.state.canRetry], ["failed", true]);
});

test("a cancelled upload reports nothing more", () => {
  const { request, upload, states } = start();
  const count = states.length;
  upload.cancel();
  assert.equal(request.isAborted, true);
  assert.equal(request.onload, null);
  assert.equal(states.length, count);
});
