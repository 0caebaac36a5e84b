/**
 * One shown conversation: takes frames and wishes, keeps the state, tells the views.
 * Owns state, socket and drafts; the rules of the state are conversation_state's.
 */

import { Announcer } from "./announce.js";
import { followDeletion, watchBranches } from "./branches.js";
import { browserClock, browserSocket } from "./browser_socket.js";
import { Composer } from "./composer.js";
import { ConnectionView } from "./connection_view.js";
import { ConversationOptions } from "./conversation_options.js";
import { cookie, find } from "./dom.js";
import { watchCopyButtons } from "./copy.js";
import * as rules from "./conversation_state.js";
import { GroundingView } from "./grounding_view.js";
import { watchMessageActions } from "./message_actions.js";
import { MessageView } from "./message_view.js";
import { OpenReplies } from "./open_replies.js";
import { ComingOptions, Drafts, Outbox, openStorage } from "./outbox.js";
import { moveTo, showHead, showWelcome } from "./page_head.js";
import { watchPictures } from "./point_back.js";
import { continueFrame, openFrame, regenerateFrame } from "./protocol.js";
import { Questions } from "./questions.js";
import { Follower } from "./scroll.js";
import { shownReplies } from "./shown_replies.js";
import { Sidebar } from "./sidebar.js";
import { say } from "./texts.js";
import { toast } from "./toasts.js";
import { countPicturesBefore } from "./transcript_pictures.js";
import { TurnLoader } from "./turn_loader.js";

export class Conversation {
  #page;
  /** @type {rules.State} */
  #state;
  #questions;
  #drafts;
  #comingOptions;
  #socket;
  #view;
  #grounding;
  #viewer;
  #replies;
  #composer;
  #options;
  #follower;
  #announcer;
  #connection;
  #sidebar;

  /** @param {any} page what the server wrote into the page */
  constructor(page) {
    this.#page = page;
    this.#state = rules.emptyState(page.conversation);
    const storage = openStorage();
    const wiring = {
      state: () => this.#state,
      update: (/** @type {rules.State} */ state) => this.#update(state),
      send: (/** @type {import("./protocol.js").Frame} */ frame) => this.#socket.send(frame),
      clock: browserClock,
    };
    this.#questions = new Questions(new Outbox(storage, page.user), wiring);
    this.#drafts = new Drafts(storage, page.user);
    this.#comingOptions = new ComingOptions(storage, page.user);
    const list = find("messages");
    this.#view = new MessageView(list, page.urls.images);
    this.#grounding = new GroundingView(list, {
      answerer: () => this.#answerer,
      toast,
      onOpen: ({ id }) => this.#viewer.open(id),
    });
    this.#viewer = watchPictures(list, {
      answerer: () => this.#answerer,
      insert: (text) => this.#composer.insert(text),
      addPictures: (files) => this.addPictures(files),
    });
    this.#replies = new OpenReplies(new TurnLoader(page.urls, this.#view), wiring);
    this.#follower = new Follower(find("scroller"), find("transcript-inner"), find("to-end"));
    this.#announcer = new Announcer(find("announcer"));
    this.#connection = new ConnectionView(document);
    this.#options = new ConversationOptions(page, {
      url: () => (this.#state.conversation ? this.#conversationUrl : null),
      csrfToken: () => this.#csrfToken,
      limits: () => this.#state.info?.limits,
      toast,
      onChange: () => this.#composer?.refresh(),
      coming: this.#comingOptions,
    });
    this.#composer = this.#makeComposer(list);
    this.#sidebar = this.#makeSidebar();
    this.#socket = browserSocket(page.urls.socket, {
      onFrame: (frame) => this.#receive(frame),
      onState: (state) => this.#connectionChanged(state),
    });
    watchCopyButtons(list, toast, (id) => this.#state.replies[id]?.text ?? null);
    watchMessageActions(list, {
      sendAgain: (id) => this.#questions.sendAgain(id),
      takeBack: (id) => this.#takeBack(id),
      regenerate: (id) => this.#send(regenerateFrame(id)),
      vary: (id, penalty) => this.#send(regenerateFrame(id, this.#options.lessRepetition(penalty))),
      goOn: (id) => this.#send(continueFrame(id)) && this.#update(rules.continueReply(this.#state, id)),
      edit: (question) => this.#composer.edit(question),
    });
    watchBranches(list, {
      urls: page.urls, conversation: () => this.#state.conversation, csrfToken: () => this.#csrfToken, toast,
    });
  }

  /** Show what is here and connect. */
  start() {
    for (const { id, ...known } of shownReplies(find("messages"))) {
      this.#update(rules.addReply(this.#state, id, known));
    }
    this.#grounding.drawAll();
    this.#questions.restore(this.#page.conversation);
    this.#composer.restore(this.#drafts.read(this.#page.conversation));
    if (matchMedia("(pointer: fine)").matches) this.#composer.focus();
    this.#socket.start();
  }

  stop() {
    this.#socket.stop();
  }

  wake() {
    this.#sidebar.look();
    this.#socket.wake();
  }

  /** @param {boolean} isOnline */
  setOnline(isOnline) {
    this.#socket.setOnline(isOnline);
    if (isOnline) this.#composer.retryUploads();
  }

  focus() {
    this.#composer.focus();
  }

  /** @param {string} text */
  suggest(text) {
    this.#composer.suggest(text);
  }

  /** @param {File[]} files */
  addPictures(files) {
    this.#composer.addPictures(files);
  }

  /** @param {Element} list */
  #makeComposer(list) {
    return new Composer(find("composer"), {
      imagesUrl: this.#page.urls.images,
      csrfToken: () => this.#csrfToken,
      limits: () => this.#state.info?.limits ?? this.#page.limits,
      announce: (text) => this.#announcer.say(text),
      onAsk: (question) => this.#ask(question),
      onStop: () => this.#replies.stopAll(),
      onDraft: (draft) => this.#drafts.write(this.#state.conversation, draft),
      picturesBefore: (id) => countPicturesBefore(list, id),
      holding: () => this.#options.holding,
    });
  }

  #makeSidebar() {
    return new Sidebar(find("sidebar"), {
      urls: this.#page.urls,
      csrfToken: () => this.#csrfToken,
      current: () => this.#state.conversation,
      toast,
      onDeleted: (id) => id === this.#state.conversation && location.assign(this.#page.urls.home),
    });
  }

  /** Whose coordinates the next answer will have, and those that name no model. */
  get #answerer() {
    return { model: this.#state.info?.model ?? "", detail: String(this.#options.holding.pixels) };
  }

  get #conversationUrl() {
    return `${this.#page.urls.conversations}${this.#state.conversation}/`;
  }

  get #csrfToken() {
    return cookie(this.#page.csrf_cookie);
  }

  /** @param {{text: string, images: string[], edits: string | null}} question */
  #ask(question) {
    this.#questions.ask(this.#state.conversation ? question : { ...question, options: this.#options.chosen });
    this.#follower.follow();
  }

  /** @param {string} id */
  #takeBack(id) {
    this.#view.removeQuestion(id);
    this.#composer.restore(this.#questions.takeBack(id));
    this.#composer.focus();
  }

  /** @param {import("./protocol.js").Frame} frame @returns {boolean} whether it left */
  #send(frame) {
    const isSent = this.#socket.send(frame);
    if (!isSent) toast(say("not_connected"));
    return isSent;
  }

  /** @param {import("./socket.js").SocketState} state */
  #connectionChanged(state) {
    this.#connection.showState(state);
    if (state === "connected") {
      this.#catchUp();
      this.#composer.retryUploads();
    } else {
      this.#questions.wait();
    }
  }

  #catchUp() {
    if (this.#state.conversation) this.#socket.send(openFrame(this.#state.conversation));
    this.#replies.resumeAll();
    this.#questions.sendAll();
  }

  /** @param {import("./protocol.js").Frame} frame */
  #receive(frame) {
    if (frame.type === "conversation") this.#sidebar.apply(frame);
    if (frame.type === "conversation") followDeletion(find("messages"), frame);
    if (frame.type === "accepted") this.#questions.hear(frame);
    if (frame.type === "error") this.#refused(frame);
    this.#update(rules.reduce(this.#state, frame, performance.now()));
    this.#options.hear(frame, this.#state.conversation); // prices go by the limits that were told
  }

  /** @param {import("./protocol.js").Frame} frame */
  #refused(frame) {
    const isQuestion = this.#questions.hear(frame);
    const isOfAnswer = this.#state.replies[frame.reply]?.isOpen;
    if (!isQuestion && !isOfAnswer && frame.code !== "unauthenticated") toast(frame.content);
  }

  /** @param {rules.State} state */
  #update(state) {
    const before = this.#state;
    if (state === before) return;
    this.#state = state;
    for (const question of Object.values(state.questions)) {
      if (question !== before.questions[question.id]) this.#view.drawQuestion(question);
    }
    for (const reply of Object.values(state.replies)) {
      if (reply !== before.replies[reply.id]) this.#drawReply(reply, before.replies[reply.id]);
    }
    this.#drawPage(before);
    this.#replies.loadUnseen();
  }

  /** @param {rules.Reply} reply @param {rules.Reply | undefined} before */
  #drawReply(reply, before) {
    this.#view.drawReply(reply);
    this.#grounding.draw(this.#view.elementOf(reply.id));
    this.#announcer.hear(reply);
    this.#replies.hear(reply, before);
  }

  /** @param {rules.State} before */
  #drawPage(before) {
    const { conversation, info } = this.#state;
    this.#connection.showInfo(info);
    const isAnswering = rules.openReplies(this.#state).length > 0;
    this.#view.showAnswering(isAnswering);
    this.#composer.show({ isAnswering, isWaiting: rules.pendingQuestions(this.#state).length > 0 });
    showWelcome(this.#view.last === null);
    if (conversation !== before.conversation) this.#moveTo(/** @type {string} */ (conversation));
    showHead(this.#state, before, this.#page.urls.home);
  }

  /** The new conversation has its address now. @param {string} conversation */
  #moveTo(conversation) {
    moveTo(this.#page.urls.home, conversation);
    this.#drafts.write(conversation, this.#drafts.read(null));
    this.#drafts.write(null, { text: "", images: [] });
    this.#comingOptions.write(null);
    this.#sidebar.markCurrent(conversation);
  }
}
