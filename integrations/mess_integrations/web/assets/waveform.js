/** The waveform as a slider: by mouse, touch and keys; a drag over it marks a stretch. */

import { peaksOf } from "./api.js";
import { useCanvas } from "./canvas.js";
import { html, useLayoutEffect, useRef, useState } from "./preact.js";
import { useLoaded } from "./store.js";
import { colourOf } from "./strip.js";
import { clock } from "./words.js";

const STEP_S = 5;

/**
 * @param {{ id: number | null, duration_s: number, time_s: number, onSeek: (at_s: number) => void,
 *   stretch?: Stretch | null, onDrag?: (stretch: Stretch) => void,
 *   sections?: Section[], label: string }} props
 */
export function Waveform({ id, duration_s, time_s, onSeek, stretch, onDrag, sections = [], label }) {
	const [peaks, error] = useLoaded(async () => (id === null ? null : peaksOf(id)), [id]);
	const [drag, setDrag] = useState(/** @type {Stretch | null} */ (null));
	const [canvas, size] = useCanvas();
	const from = useRef(/** @type {number | null} */ (null));

	useLayoutEffect(() => {
		if (canvas.current) draw(canvas.current, peaks, duration_s, time_s, drag ?? stretch ?? null, sections);
	}, [peaks, time_s, drag, stretch, size, sections, duration_s]);
	const at = (event) => {
		const box = /** @type {HTMLElement} */ (canvas.current).getBoundingClientRect();
		return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)) * duration_s;
	};
	const down = (event) => {
		if (event.button) return;
		from.current = at(event);
		event.currentTarget.setPointerCapture(event.pointerId);
	};
	const move = (event) => {
		if (from.current === null || !onDrag) return;
		const [a, b] = [from.current, at(event)];
		if (drag || Math.abs(b - a) > duration_s / 100) setDrag({ start_s: Math.min(a, b), end_s: Math.max(a, b) });
	};
	const up = (event) => {
		if (from.current === null) return;
		if (drag && onDrag) onDrag(drag);
		else onSeek(at(event));
		from.current = null;
		setDrag(null);
	};
	const key = (event) => {
		const to = {
			ArrowLeft: time_s - STEP_S,
			ArrowRight: time_s + STEP_S,
			PageDown: time_s - 30,
			PageUp: time_s + 30,
			Home: 0,
			End: duration_s,
		}[event.key];
		if (to === undefined) return;
		event.preventDefault();
		event.stopPropagation();
		onSeek(Math.min(duration_s, Math.max(0, to)));
	};
	return html`<div class="waveform" role="slider" tabindex="0" aria-label=${label} aria-valuemin="0"
		aria-valuemax=${Math.round(duration_s)} aria-valuenow=${Math.round(time_s)}
		aria-valuetext=${`${clock(time_s)} of ${clock(duration_s)}`} onKeyDown=${key}
		onPointerDown=${down} onPointerMove=${move} onPointerUp=${up}
		onPointerCancel=${() => ((from.current = null), setDrag(null))}>
		<canvas ref=${canvas} aria-hidden="true"></canvas>
		${error && html`<span class="problem">${error.message}</span>`}
		${drag && html`<span class="dragged">${clock(drag.start_s)}–${clock(drag.end_s)}</span>`}
	</div>`;
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Peaks | null} peaks
 * @param {number} duration_s
 * @param {number} time_s
 * @param {Stretch | null} stretch
 * @param {Section[]} sections
 */
function draw(canvas, peaks, duration_s, time_s, stretch, sections) {
	const scale = devicePixelRatio || 1;
	const [width, height] = [canvas.clientWidth, canvas.clientHeight];
	if (!width || !height) return;
	canvas.width = width * scale;
	canvas.height = height * scale;
	const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
	pen.scale(scale, scale);
	const style = getComputedStyle(canvas);
	const colour = (name) => style.getPropertyValue(name).trim();
	const x = (s) => (duration_s ? (s / duration_s) * width : 0);
	for (const one of sections) {
		pen.fillStyle = colour(`--${colourOf(one.label)}`);
		pen.globalAlpha = 0.9;
		pen.fillRect(x(one.start_s), height - 4, Math.max(1, x(one.end_s) - x(one.start_s) - 1), 4);
		pen.globalAlpha = 1;
	}
	const floor = sections.length ? height - 7 : height;
	if (stretch) {
		pen.fillStyle = colour("--wash");
		pen.fillRect(x(stretch.start_s), 0, x(stretch.end_s) - x(stretch.start_s), floor);
	}
	const middle = floor / 2;
	if (!peaks) {
		pen.fillStyle = colour("--line");
		pen.fillRect(0, middle - 0.5, width, 1);
	} else {
		const bars = Math.floor(width / 3);
		const tallest = Math.max(1, ...peaks.peaks);
		for (let bar = 0; bar < bars; bar++) {
			const [a, b] = [Math.floor((bar * peaks.peaks.length) / bars), Math.ceil(((bar + 1) * peaks.peaks.length) / bars)];
			const top = Math.max(...peaks.peaks.slice(a, Math.max(b, a + 1))) / tallest;
			const mean = Math.max(...peaks.level.slice(a, Math.max(b, a + 1))) / tallest;
			const second = (bar / bars) * duration_s;
			const isIn = stretch && second >= stretch.start_s && second < stretch.end_s;
			pen.fillStyle = colour(second <= time_s ? "--accent" : isIn ? "--text" : "--wave");
			pen.globalAlpha = 0.45;
			pen.fillRect(bar * 3, middle - Math.max(0.75, top * middle), 2, Math.max(1.5, top * floor));
			pen.globalAlpha = 1;
			pen.fillRect(bar * 3, middle - Math.max(0.75, mean * middle), 2, Math.max(1.5, mean * floor));
		}
	}
	pen.fillStyle = colour("--text");
	pen.fillRect(Math.min(width - 1.5, x(time_s)), 0, 1.5, floor);
}
