/** A curve from 0 to 1 that is drawn with the mouse, a finger or keys. */

import { html, useRef } from "./preact.js";

const N = 12;
const WIDTH = 600;
const HEIGHT = 120;

/** @type {Record<string, (share: number) => number>} */
export const SHAPES = {
	rise: (share) => share,
	fall: (share) => 1 - share,
	peak: (share) => 1 - Math.abs(2 * share - 1),
	valley: (share) => Math.abs(2 * share - 1),
	wave: (share) => 0.5 - 0.5 * Math.cos(4 * Math.PI * share),
};

/** @param {string} text @returns {number[]} N points */
export function pointsOf(text) {
	const shape = SHAPES[text];
	if (shape) return Array.from({ length: N }, (_, place) => shape(place / (N - 1)));
	const given = text.split(",").map(Number).filter(Number.isFinite);
	if (given.length < 2) return pointsOf("peak");
	return Array.from({ length: N }, (_, place) => {
		const at = (place / (N - 1)) * (given.length - 1);
		const low = Math.min(given.length - 2, Math.floor(at));
		return given[low] + (given[low + 1] - given[low]) * (at - low);
	});
}

/** @param {{ value: string, onChange: (text: string) => void }} props */
export function Curve({ value, onChange }) {
	const points = pointsOf(value);
	const drawn = useRef(/** @type {number[] | null} */ (null));
	const last = useRef(/** @type {number | null} */ (null));
	/** @param {number[]} next */
	const tell = (next) => onChange(next.map((height) => Number(height.toFixed(2))).join(","));
	const draw = (event) => {
		if (!drawn.current) return;
		const box = event.currentTarget.getBoundingClientRect();
		const place = Math.min(N - 1, Math.max(0, Math.round(((event.clientX - box.left) / box.width) * (N - 1))));
		const height = Math.min(1, Math.max(0, 1 - (event.clientY - box.top) / box.height));
		// Fast strokes pass over points: fill in those between.
		const from = last.current ?? place;
		for (let at = Math.min(from, place); at <= Math.max(from, place); at++) drawn.current[at] = height;
		last.current = place;
		tell(drawn.current);
	};
	/** @param {KeyboardEvent} event @param {number} place */
	const key = (event, place) => {
		const step = { ArrowUp: 0.1, ArrowDown: -0.1 }[event.key];
		if (step === undefined) return;
		event.preventDefault();
		tell(points.map((height, at) => (at === place ? Math.min(1, Math.max(0, height + step)) : height)));
	};
	const x = (place) => (place / (N - 1)) * WIDTH;
	const y = (height) => HEIGHT - 4 - height * (HEIGHT - 8);
	const line = points.map((height, place) => `${place ? "L" : "M"}${x(place)} ${y(height)}`).join("");
	return html`<div class="curve" onPointerDown=${(event) => {
		drawn.current = [...points];
		last.current = null;
		event.currentTarget.setPointerCapture(event.pointerId);
		draw(event);
	}} onPointerMove=${draw} onPointerUp=${() => (drawn.current = null)}>
		<svg viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
			<path class="under" d=${`${line}L${WIDTH} ${HEIGHT}L0 ${HEIGHT}Z`} /><path class="line" d=${line} /></svg>
		${points.map((height, place) => html`<span role="slider" tabindex="0" aria-label=${`Energy at ${Math.round((100 * place) / (N - 1))} % of the list`}
			aria-valuemin="0" aria-valuemax="100" aria-valuenow=${Math.round(height * 100)} onKeyDown=${(event) => key(event, place)}
			style=${{ left: `${(100 * place) / (N - 1)}%`, top: `${(100 * y(height)) / HEIGHT}%` }} />`)}
	</div>`;
}
