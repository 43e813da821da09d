// The player of the result. Gradio calls this once for its element and later changes what is inside,
// so everything listens on the element itself.

const MARK = 0.25; // seconds an arrow key moves

const playerOf = (node) => node.closest(".player");
const soundsOf = (player) => [...player.querySelectorAll("audio")];
const chosen = (player) =>
  soundsOf(player).find((sound) => sound.dataset.sound === player.dataset.chosen) ??
  player.querySelector("audio");

function show(player) {
  const screen = player.querySelector(".screen");
  const seconds = Number(player.dataset.seconds);
  const at = Math.min(chosen(player).currentTime, seconds);
  screen.querySelector(".playhead").style.left = `${(100 * at) / seconds}%`;
  screen.setAttribute("aria-valuenow", at.toFixed(2));
  screen.setAttribute("aria-valuetext", `${at.toFixed(1)} / ${seconds.toFixed(1)}`);
  for (const button of player.querySelectorAll(".play")) {
    const sound = soundsOf(player).find((one) => one.dataset.sound === button.dataset.sound);
    button.setAttribute("aria-pressed", String(!sound.paused));
  }
}

function follow(player) {
  if (!player.isConnected) return;
  show(player);
  if (soundsOf(player).some((sound) => !sound.paused)) requestAnimationFrame(() => follow(player));
}

function play(player, name) {
  const before = chosen(player);
  player.dataset.chosen = name;
  const sound = chosen(player);
  if (!sound.paused) {
    sound.pause();
    return;
  }
  for (const other of soundsOf(player)) other.pause();
  // Another part goes on from where the first was: so they are compared.
  if (sound !== before) sound.currentTime = before.ended ? 0 : before.currentTime;
  sound.play().catch(() => {}); // stopped before it began
}

function seek(player, seconds) {
  const sound = chosen(player);
  sound.currentTime = Math.max(0, Math.min(seconds, Number(player.dataset.seconds)));
  show(player);
}

element.addEventListener("click", (event) => {
  const button = event.target.closest(".play");
  if (button) play(playerOf(button), button.dataset.sound);
});

element.addEventListener("pointerdown", (event) => {
  const screen = event.target.closest(".screen");
  if (!screen) return;
  const box = screen.getBoundingClientRect();
  const player = playerOf(screen);
  seek(player, ((event.clientX - box.left) / box.width) * Number(player.dataset.seconds));
});

element.addEventListener("keydown", (event) => {
  const screen = event.target.closest(".screen");
  if (!screen) return;
  const player = playerOf(screen);
  const at = chosen(player).currentTime;
  const moves = { ArrowLeft: at - MARK, ArrowRight: at + MARK, Home: 0, End: Infinity };
  if (event.key === " ") play(player, chosen(player).dataset.sound);
  else if (event.key in moves) seek(player, moves[event.key]);
  else return;
  event.preventDefault();
});

// Events of media do not bubble; they are caught on their way down.
for (const kind of ["play", "pause", "ended", "seeked"]) {
  element.addEventListener(kind, (event) => follow(playerOf(event.target)), true);
}

function answered() {
  const result = element.querySelector("[data-language]");
  if (result) document.documentElement.lang = result.dataset.language;
  for (const player of element.querySelectorAll(".player")) {
    for (const sound of soundsOf(player)) sound.pause();
    show(player);
  }
}
watch("value", answered);
answered();
