"use strict";
const media = document.querySelector("audio, video");
const buttons = [...document.querySelectorAll("[data-start]")];

for (const button of buttons) {
  button.addEventListener("click", () => {
    media.currentTime = Number(button.dataset.start);
    media.play();
  });
}

// Left and right go along the timeline.
const blocks = buttons
  .filter((each) => each.closest(".track"))
  .sort((one, other) => one.dataset.start - other.dataset.start);
blocks.forEach((block, place) =>
  block.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step && blocks[place + step]) {
      event.preventDefault();
      blocks[place + step].focus();
    }
  }),
);

function mark() {
  const now = media.currentTime;
  for (const button of buttons) {
    const on = button.dataset.start <= now && now < button.dataset.end;
    for (const each of [button, button.closest("tr")]) {
      if (each && on) each.setAttribute("aria-current", "true");
      else if (each) each.removeAttribute("aria-current");
    }
  }
}
media.addEventListener("timeupdate", mark);
media.addEventListener("seeked", mark);
