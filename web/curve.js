const WIDTH = 640;
const HEIGHT = 300;
const LEFT = 44;
const RIGHT = 12;
const TOP = 12;
const BOTTOM = 34;
const MEAN_OF = 8; // steps, an epoch

/** Draws the values of the steps done, and their running mean, into an svg element. */
export function drawCurve(svg, values, totalSteps) {
  const known = values.filter((value) => value !== undefined);
  const low = known.length === 0 ? 0 : Math.floor(2 * Math.min(...known)) / 2;
  const high = known.length === 0 ? 4 : Math.max(low + 0.5, Math.ceil(2 * Math.max(...known)) / 2);
  const x = (step) => LEFT + ((WIDTH - LEFT - RIGHT) * step) / Math.max(totalSteps, 1);
  const y = (value) => TOP + ((HEIGHT - TOP - BOTTOM) * (high - value)) / (high - low);
  const path = (points) =>
    points.map(([step, value], i) => `${i === 0 ? 'M' : 'L'}${x(step).toFixed(1)} ${y(value).toFixed(1)}`).join('');
  const points = values.flatMap((value, i) => (value === undefined || value === null ? [] : [[i + 1, value]]));
  const mean = points.map(([step], i) => {
    const last = points.slice(Math.max(0, i + 1 - MEAN_OF), i + 1);
    return [step, last.reduce((sum, [, value]) => sum + value, 0) / last.length];
  });
  const lines = [];
  for (let value = low; value <= high; value += 0.5) {
    lines.push(
      `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(value)}" y2="${y(value)}" /><text x="${LEFT - 8}" y="${y(value) + 4}" text-anchor="end">${value.toFixed(1)}</text>`,
    );
  }
  const ticks = [0, 0.25, 0.5, 0.75].map(
    (share) =>
      `<text x="${x(share * totalSteps)}" y="${HEIGHT - 12}" text-anchor="middle">${Math.round(share * totalSteps)}</text>`,
  );
  svg.innerHTML = `${lines.join('')}${known.length === 0 ? '' : ticks.join('')}
    <text x="${WIDTH - RIGHT}" y="${HEIGHT - 12}" text-anchor="end">${known.length === 0 ? '' : `${totalSteps} steps`}</text><text x="${LEFT + 6}" y="${TOP + 14}">cross-entropy</text>
    <path class="steps" d="${path(points)}" /><path class="mean" d="${path(mean)}" />`;
}
