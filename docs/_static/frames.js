// A page in a frame tells how high it is, and the frame takes that height: so nothing scrolls inside a page that scrolls.
addEventListener("message", ({ source, data }) => {
  const frame = [...document.querySelectorAll("iframe")].find((each) => each.contentWindow === source);
  if (frame && Number.isFinite(data?.height)) frame.style.height = `${Math.ceil(data.height) + 2}px`;
});
