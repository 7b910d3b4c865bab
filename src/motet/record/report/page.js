"use strict";

// What a reader can ask of a page: what a point's number is, and to hide a recipe. Without scripts the page says as much.

const NONE = "\u2013";
const REACH = 40;

const buttons = [...document.querySelectorAll(".legend button")];

function isShown(series) {
  return !buttons.some((button) => button.dataset.series === series && button.getAttribute("aria-pressed") === "false");
}

function toggle(series) {
  const shown = !isShown(series);
  for (const button of buttons) {
    if (button.dataset.series === series) button.setAttribute("aria-pressed", shown);
  }
  for (const part of document.querySelectorAll(`svg [data-series="${series}"]`)) part.classList.toggle("off", !shown);
  for (const told of document.querySelectorAll(".tip, .ring")) told.hidden = true;
}

// Where a line has its corners, or where its dots are, in the units of the drawing.
function corners(part) {
  const line = part.querySelector(":scope > path");
  if (line) {
    return line
      .getAttribute("d")
      .slice(1)
      .split("L")
      .map((corner) => corner.split(" ").map(Number));
  }
  return [...part.querySelectorAll("use")].map((dot) => [dot.x.baseVal.value, dot.y.baseVal.value]);
}

// The points of a figure, with what its table says of each: a column's numbers are those of its line, one by one.
function pointsOf(figure) {
  const table = figure.querySelector("table");
  const unit = table.caption.firstElementChild.textContent;
  const [corner, ...heads] = table.tHead.rows[0].cells;
  return heads.flatMap((head, place) => {
    const { series } = head.dataset;
    const measured = [...table.tBodies[0].rows].filter((row) => row.cells[place + 1].textContent !== NONE);
    const drawn = [...figure.querySelectorAll(`svg .points[data-series="${series}"]`)].flatMap(corners);
    return drawn.map(([x, y], number) => {
      const row = measured[number];
      const [at, value] = [row.cells[0].textContent, row.cells[place + 1].textContent];
      const text = `${head.textContent}\n${corner.textContent}: ${at}\n${unit}: ${value}`;
      return { series, x, y, row: row.rowIndex, text };
    });
  });
}

function nearest(points, distance) {
  return points.reduce((best, point) => (best && distance(best) <= distance(point) ? best : point), null);
}

// Where a key leads from a point: along its line, or to the same place of another.
function after(key, at, points) {
  const own = points.filter((point) => point.series === at.series);
  const others = [...new Set(points.map((point) => point.series))];
  const another = (step) => {
    const next = others.at((others.indexOf(at.series) + step) % others.length);
    return nearest(
      points.filter((point) => point.series === next),
      (point) => Math.abs(point.row - at.row),
    );
  };
  const moves = {
    ArrowRight: () => own[own.indexOf(at) + 1] ?? at,
    ArrowLeft: () => own[own.indexOf(at) - 1] ?? at,
    ArrowDown: () => another(1),
    ArrowUp: () => another(-1),
    Home: () => own.at(0),
    End: () => own.at(-1),
  };
  return moves[key]?.();
}

function makeReadable(figure) {
  const plot = figure.querySelector(".plot");
  const drawing = plot.querySelector("svg");
  const every = pointsOf(figure);
  if (!every.length) return;
  const [tip, ring] = [document.createElement("output"), document.createElement("span")];
  [tip.className, ring.className] = ["tip", "ring"];
  plot.append(ring, tip);
  plot.tabIndex = 0;
  plot.setAttribute("role", "group");
  plot.setAttribute("aria-label", `Points of ${figure.querySelector("h3").textContent}: arrow keys lead from one to the next`);

  let at = null;
  const scale = () => drawing.clientWidth / drawing.viewBox.baseVal.width;
  const points = () => every.filter((point) => isShown(point.series));
  const hide = () => {
    tip.hidden = ring.hidden = true;
  };
  const show = (point) => {
    if (!point) return hide();
    at = point;
    const [x, y] = [point.x * scale(), point.y * scale()];
    tip.textContent = point.text;
    tip.hidden = ring.hidden = false;
    ring.style.translate = `${x}px ${y}px`;
    const left = Math.max(0, Math.min(x - tip.offsetWidth / 2, plot.clientWidth - tip.offsetWidth));
    const above = y - tip.offsetHeight - 12;
    tip.style.translate = `${left}px ${above < 0 ? y + 12 : above}px`;
  };
  const point = (event) => {
    const box = drawing.getBoundingClientRect();
    const [x, y] = [(event.clientX - box.left) / scale(), (event.clientY - box.top) / scale()];
    const far = (one) => Math.hypot(one.x - x, one.y - y);
    const found = nearest(points(), far);
    show(found && far(found) < REACH ? found : null);
  };

  hide();
  plot.addEventListener("pointermove", point);
  plot.addEventListener("pointerdown", point);
  plot.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && hide());
  plot.addEventListener("blur", hide);
  plot.addEventListener("focus", () => plot.matches(":focus-visible") && show(points().at(-1)));
  plot.addEventListener("keydown", (event) => {
    if (event.key === "Escape") return hide();
    const known = points();
    const next = known.includes(at) ? after(event.key, at, known) : known.at(-1);
    if (!next || event.key === "Tab") return;
    event.preventDefault();
    show(next);
  });
}

document.querySelectorAll("figure").forEach(makeReadable);
for (const button of buttons) {
  button.disabled = false;
  button.addEventListener("click", () => toggle(button.dataset.series));
}
