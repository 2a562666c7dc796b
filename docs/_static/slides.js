// Slides: with `?slides` in its address, a lesson shows one section at a time.
// Left and right arrow turn the page. Page down and space scroll first, and turn at the end. Escape leaves.
if (new URLSearchParams(location.search).has("slides")) {
  document.addEventListener("DOMContentLoaded", () => startSlides(document.querySelector("article section")));
}

function startSlides(lesson) {
  const title = document.createElement("div");
  title.append(...[...lesson.children].filter((part) => part.tagName !== "SECTION"));
  lesson.prepend(title);
  const slides = [...lesson.children];
  const bar = makeBar();
  let current = Math.max(0, slides.findIndex((slide) => slide.id && `#${slide.id}` === location.hash));

  function show(number) {
    current = Math.min(Math.max(number, 0), slides.length - 1);
    slides.forEach((slide, place) => { slide.hidden = place !== current; });
    bar.count.textContent = `${current + 1} / ${slides.length}`;
    history.replaceState(null, "", `${location.search}#${slides[current].id || lesson.id}`);
    scrollTo(0, 0);
  }

  function leave() {
    location.href = `${location.pathname}${location.hash}`;
  }

  const keys = {
    ArrowRight: () => show(current + 1),
    ArrowLeft: () => show(current - 1),
    Escape: leave,
    PageDown: () => !canScroll(1) && show(current + 1),
    " ": () => !canScroll(1) && show(current + 1),
    PageUp: () => !canScroll(-1) && show(current - 1),
  };
  document.addEventListener("keydown", (event) => {
    const isCommand = event.altKey || event.ctrlKey || event.metaKey;
    const isControl = event.target.closest("summary, button, a, input, iframe") && event.key === " ";
    if (keys[event.key] && !isCommand && !isControl && keys[event.key]() !== false) event.preventDefault();
  });
  bar.back.addEventListener("click", () => show(current - 1));
  bar.next.addEventListener("click", () => show(current + 1));
  bar.close.addEventListener("click", leave);
  document.body.classList.add("slides");
  show(current);
}

function canScroll(direction) {
  const page = document.documentElement;
  return direction > 0 ? scrollY + innerHeight < page.scrollHeight - 2 : scrollY > 2;
}

function makeBar() {
  const bar = document.createElement("nav");
  bar.className = "slide-bar";
  bar.setAttribute("aria-label", "Slides");
  const make = (tag, text, label) => {
    const part = document.createElement(tag);
    part.textContent = text;
    if (label) part.setAttribute("aria-label", label);
    bar.append(part);
    return part;
  };
  const back = make("button", "‹", "previous slide");
  const count = make("span", "");
  const next = make("button", "›", "next slide");
  const close = make("button", "×", "leave the slides");
  document.body.append(bar);
  return { back, count, next, close };
}
