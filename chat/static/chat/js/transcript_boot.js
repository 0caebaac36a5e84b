// Shows the transcript from where it is read, in the first frame: the hit of a search, or its end. A
// classic script, because modules run when all of them have come, and all of the page is parsed.
(() => {
  let shownTop = 0;
  const show = () => {
    const scroller = document.querySelector("[data-scroller]");
    if (!scroller || scroller.scrollTop < shownTop) return; // the reader has left
    const sought = scroller.querySelector("[data-sought]");
    if (sought) sought.scrollIntoView({ block: "center" });
    else if (scroller.querySelector("[data-role]")) scroller.scrollTop = scroller.scrollHeight;
    shownTop = scroller.scrollTop;
  };
  requestAnimationFrame(show);
  // Where a browser does not wait for the transcript with its first frame.
  document.addEventListener("readystatechange", () => requestAnimationFrame(show), { once: true });
})();
