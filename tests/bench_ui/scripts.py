"""What runs within the page to measure it: put there before its own scripts."""

# When the last message of the transcript was first painted in the window, ms since navigation.
READABLE = """
(() => {
    const look = () => {
        const last = document.querySelector("[data-messages]")?.lastElementChild;
        const box = last?.getBoundingClientRect();
        const isWhole = document.querySelector("[data-composer]"); // it follows the transcript
        if (isWhole && box && box.height > 0 && box.top < innerHeight && box.bottom > 0) {
            window.readableMs = performance.now();
        } else requestAnimationFrame(wait);
    };
    const wait = () => {
        const paint = new MessageChannel();
        paint.port1.onmessage = look;
        paint.port2.postMessage(null);  // after the frame
    };
    requestAnimationFrame(wait);
})();
"""
# How long tasks kept the page from answering, in ms.
LONG_TASKS = """
window.longTasks = [];
new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) window.longTasks.push(duration);
}).observe({ type: "longtask", buffered: true });
"""
# Each piece of text ends with the time at which it was sent; here with when it was painted.
SHOWN = """() => {
    window.shown = new Map();
    const list = document.querySelector("[data-messages]");
    new MutationObserver(() => requestAnimationFrame(() => {
        const text = list.lastElementChild.querySelector("[data-body]")?.textContent ?? "";
        const paint = new MessageChannel();
        paint.port1.onmessage = () => {
            for (const [, sent] of text.matchAll(/<(\\d+)>/g)) {
                if (!window.shown.has(sent)) window.shown.set(sent, Date.now() - Number(sent));
            }
        };
        paint.port2.postMessage(null);  // after the frame
    })).observe(list, { childList: true, subtree: true, characterData: true });
}"""
# First paint and the moment from which a question can be written and sent, in ms.
START = """() => ({
    paint: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? null,
    usable: performance.getEntriesByName("vl-usable")[0]?.startTime ?? null,
})"""
# What the scripts and styles took on the wire, in bytes.
BYTES = """() => performance.getEntriesByType("resource")
    .filter(({ name }) => /\\.(js|css)(\\?|$)/.test(name))
    .map(({ name, encodedBodySize }) => [name, encodedBodySize])"""
# Scroll up through everything, a screen a frame; gives how many messages were in the page then.
SCROLL_UP = """async () => {
    const scroller = document.querySelector("[data-scroller]");
    window.longTasks.length = 0;
    const button = document.querySelector("[data-earlier]");
    const frame = () => new Promise(requestAnimationFrame);
    let still = 0;
    while (still < 200 && (scroller.scrollTop > 0 || !button.hidden)) {
        const before = scroller.scrollTop;
        scroller.scrollTop -= 120;
        await frame();
        still = scroller.scrollTop === before ? still + 1 : 0;
    }
    return document.querySelectorAll("[data-message]").length;
}"""
