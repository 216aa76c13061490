/** The self-similarity of a track: light where two moments sound alike; pointing says which, a click plays. */

import { get } from "./api.js";
import { html, useLayoutEffect, useRef, useState } from "./preact.js";
import { useLoaded } from "./store.js";
import { clock } from "./words.js";

/** @param {{ id: number, time_s: number | null, onPick: (at_s: number) => void }} props */
export function Picture({ id, time_s, onPick }) {
	const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
	const [picture] = useLoaded(() => get(`v1/tracks/${id}/self-similarity`).then(
		/** @returns {{ n: number, duration_s: number, rows: Uint8Array }} */
		(found) => ({ ...found, rows: Uint8Array.from(atob(found.rows), (letter) => letter.charCodeAt(0)) }),
	), [id]);
	const [over, setOver] = useState(/** @type {{ x_s: number, y_s: number, like: number } | null} */ (null));
	useLayoutEffect(() => {
		if (canvas.current && picture) paint(canvas.current, picture);
	}, [picture]);
	const at = (event) => {
		const box = event.currentTarget.getBoundingClientRect();
		const share = (a) => Math.min(0.9999, Math.max(0, a));
		return { x: share((event.clientX - box.left) / box.width), y: share((event.clientY - box.top) / box.height) };
	};
	const point = (event) => {
		if (!picture) return;
		const { x, y } = at(event);
		const like = picture.rows[Math.floor(y * picture.n) * picture.n + Math.floor(x * picture.n)] / 255;
		setOver({ x_s: x * picture.duration_s, y_s: y * picture.duration_s, like });
	};
	const share = (s) => `${picture ? (100 * s) / picture.duration_s : 0}%`;
	return html`<figure class="picture">
		<div onMouseMove=${point} onMouseLeave=${() => setOver(null)}
			onClick=${(event) => picture && onPick(at(event).x * picture.duration_s)}>
			<canvas ref=${canvas} width="1" height="1" role="img" aria-label="Which moments of the track sound alike"></canvas>
			${over && html`<i class="across" style=${{ top: share(over.y_s) }} /><i class="down" style=${{ left: share(over.x_s) }} />`}
			${time_s !== null && picture && html`<i class="down now" style=${{ left: share(time_s) }} />`}
		</div>
		<figcaption>${
			over
				? `${clock(over.x_s)} and ${clock(over.y_s)}: ${over.like > 0.8 ? "the same" : over.like > 0.55 ? "alike" : over.like > 0.3 ? "somewhat alike" : "unlike"}`
				: "Light: two moments that sound alike. Stripes beside the diagonal are repeats."
		}</figcaption>
	</figure>`;
}

/** @param {HTMLCanvasElement} canvas @param {{ n: number, rows: Uint8Array }} picture */
function paint(canvas, { n, rows }) {
	canvas.width = canvas.height = n;
	const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
	const image = pen.createImageData(n, n);
	// From night blue over plum to the accent: dark to light in even steps.
	const stops = [[14, 17, 24], [52, 40, 74], [134, 66, 84], [226, 132, 58], [255, 232, 178]];
	for (let place = 0; place < rows.length; place++) {
		const along = (rows[place] / 255) * (stops.length - 1);
		const low = Math.min(stops.length - 2, Math.floor(along));
		for (let band = 0; band < 3; band++) {
			image.data[place * 4 + band] = stops[low][band] + (stops[low + 1][band] - stops[low][band]) * (along - low);
		}
		image.data[place * 4 + 3] = 255;
	}
	pen.putImageData(image, 0, 0);
}
