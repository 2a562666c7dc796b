// A page in a frame tells how high it is, and the frame takes that height: so nothing scrolls inside a page that scrolls.
addEventListener("message", ({ source, data }) => {
  const frame = [...document.querySelectorAll("iframe")].find((each) => each.contentWindow === source);
  if (frame && Number.isFinite(data?.height)) frame.style.height = `${Math.ceil(data.height) + 2}px`;
});

// From a disk, a browser reads no other page for a search, so results have no summaries. Asking would only fill the console.
if (location.protocol === "file:" && typeof DOCUMENTATION_OPTIONS !== "undefined") {
  DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
}
