// Sets the stored theme before the first paint. A classic script, because modules run too late.
(() => {
  try {
    const stored = localStorage.getItem("vl.theme");
    if (stored === "light" || stored === "dark") document.documentElement.dataset.theme = stored;
  } catch {
    // Storage is forbidden: the system's theme stays.
  }
})();
