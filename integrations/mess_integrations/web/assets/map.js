/** The library as a map: pan, zoom, point to hear, draw a line around tracks to make a list of them. */

import { get, trackOf } from "./api.js";
import { useCanvas } from "./canvas.js";
import { play, stop } from "./player.js";
import { COLOURINGS, drawPoints, Points, sizeOf } from "./points.js";
import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "./preact.js";
import { go } from "./route.js";
import { Failure } from "./states.js";
import { useLoaded } from "./store.js";
import { count, titleOf } from "./words.js";

const DWELL_MS = 220;
const MOST_LISTED = 500;

/** @param {{ words: URLSearchParams }} props */
export function MapView({ words }) {
	const [points, error] = useLoaded(() => get("v1/map/points").then((columns) => new Points(columns)), []);
	const [mode, setMode] = useState("move");
	const [audition, setAudition] = useState(false);
	const [chosen, setChosen] = useState(/** @type {number[]} */ ([]));
	const by = COLOURINGS.includes(words.get("by") ?? "") ? /** @type {string} */ (words.get("by")) : "cluster";
	const clusters = useMemo(() => points?.clusters().sort((a, b) => b.size - a.size) ?? [], [points]);
	if (error) return html`<main><h1 class="unseen">Map</h1><${Failure} error=${error} /></main>`;
	if (!points) return html`<main class="map"><h1 class="unseen">Map</h1><p class="hint" role="status">Drawing the map…</p></main>`;
	const ids = (places) => places.slice(0, MOST_LISTED).map((i) => points.columns.id[i]).join(",");
	return html`<main class="map"><h1 class="unseen">Map</h1>
		<div class="tools">
			<div class="kinds" role="group" aria-label="What dragging does">
				${["move", "lasso"].map((one) => html`<button aria-pressed=${mode === one} onClick=${() => setMode(one)}>${one}</button>`)}
			</div>
			<label class="check"><input type="checkbox" checked=${audition} onChange=${(event) => {
				const isOn = event.currentTarget.checked;
				setAudition(isOn);
				if (!isOn) stop();
			}} /> hear what I point at</label>
			<label>Colour <select value=${by} onChange=${(event) => go(`#/map?by=${event.currentTarget.value}`)}>
				${COLOURINGS.map((name) => html`<option value=${name} selected=${by === name}>${name}</option>`)}</select></label>
			${chosen.length > 0 && html`<span role="status">${count(chosen.length, "track")} chosen</span>
				<a class="solid" href=${`#/lists/own?t=${ids(chosen)}`}>Make a list</a>
				<button class="quiet" onClick=${() => setChosen([])}>Let go</button>`}
		</div>
		<${Chart} points=${points} by=${by} mode=${mode} audition=${audition} chosen=${chosen} onChoose=${setChosen} clusters=${clusters} />
		<ul class="clusters" aria-label="Clusters">${clusters.map(
			(one) => html`<li><button class="chip" onClick=${() => setChosen(points.columns.cluster.flatMap((place, i) => (place === one.place ? [i] : [])))}>
				<span class="dot ${`s${one.place % 8}`}" /> ${one.name} <span class="by inline">${one.size}</span></button></li>`,
		)}</ul>
	</main>`;
}

/**
 * @param {{ points: Points, by: string, mode: string, audition: boolean, chosen: number[],
 *   onChoose: (places: number[]) => void, clusters: ReturnType<Points["clusters"]> }} props
 */
function Chart({ points, by, mode, audition, chosen, onChoose, clusters }) {
	const [look, setLook] = useState({ x: 0.5, y: 0.5, zoom: 1 });
	const [canvas, size] = useCanvas();
	const [over, setOver] = useState(-1);
	const [card, setCard] = useState(/** @type {any} */ (null));
	const [line, setLine] = useState(/** @type {[number, number][]} */ ([]));
	const drag = useRef(/** @type {{ x: number, y: number, look: typeof look, moved: boolean } | null} */ (null));
	const colours = useMemo(() => points.colours(by), [points, by]);
	const bright = useMemo(() => new Set(chosen), [chosen]);

	useLayoutEffect(() => {
		const box = canvas.current;
		if (!box || !size.width) return;
		if (box.width !== size.width) box.width = size.width;
		if (box.height !== size.height) box.height = size.height;
		const pen = /** @type {CanvasRenderingContext2D} */ (box.getContext("2d"));
		const style = getComputedStyle(box);
		const scale = devicePixelRatio || 1;
		drawPoints(pen, points, colours, look, paletteOf(style), (i) => !bright.size || bright.has(i));
		const side = sizeOf(size.width, size.height, look);
		const to = (x, y) => /** @type {[number, number]} */ ([(x - look.x) * side + size.width / 2, (y - look.y) * side + size.height / 2]);
		if (by === "cluster") names(pen, clusters, to, style, scale);
		if (over >= 0) {
			pen.strokeStyle = style.getPropertyValue("--text");
			pen.lineWidth = 2 * scale;
			pen.beginPath();
			pen.arc(...to(points.x[over], points.y[over]), 8 * scale, 0, 7);
			pen.stroke();
		}
		if (line.length > 1) {
			pen.strokeStyle = style.getPropertyValue("--accent");
			pen.fillStyle = style.getPropertyValue("--wash");
			pen.lineWidth = 2 * scale;
			pen.beginPath();
			line.forEach(([x, y], place) => (place ? pen.lineTo(...to(x, y)) : pen.moveTo(...to(x, y))));
			pen.closePath();
			pen.fill();
			pen.stroke();
		}
	}, [points, colours, look, size, over, line, bright, by]);
	useEffect(() => {
		setCard(null);
		if (over < 0) return;
		let isOver = false;
		const timer = setTimeout(async () => {
			const found = await trackOf(points.columns.id[over]).catch(() => null);
			if (isOver || !found) return;
			setCard(found);
			if (audition) await play({ track: found, stretch: { start_s: found.duration_s * 0.3, end_s: found.duration_s } });
		}, audition ? DWELL_MS : 60);
		return () => {
			isOver = true;
			clearTimeout(timer);
		};
	}, [over, audition]);
	useEffect(() => {
		const box = /** @type {HTMLCanvasElement} */ (canvas.current);
		const wheel = (event) => {
			event.preventDefault();
			const [x, y] = under(event);
			zoom(Math.exp(-event.deltaY / 400), x, y);
		};
		box.addEventListener("wheel", wheel, { passive: false });
		return () => box.removeEventListener("wheel", wheel);
	});

	/** Where on the map the mouse is. @param {MouseEvent} event @returns {[number, number]} */
	const under = (event) => {
		const box = /** @type {HTMLCanvasElement} */ (canvas.current).getBoundingClientRect();
		const side = sizeOf(box.width, box.height, look);
		return [(event.clientX - box.left - box.width / 2) / side + look.x, (event.clientY - box.top - box.height / 2) / side + look.y];
	};
	/** @param {number} by @param {number} [x] @param {number} [y] what stays where it is */
	const zoom = (by, x = look.x, y = look.y) =>
		setLook((now) => {
			const next = Math.min(200, Math.max(0.7, now.zoom * by));
			const share = now.zoom / next;
			return { zoom: next, x: x + (now.x - x) * share, y: y + (now.y - y) * share };
		});
	const move = (event) => {
		const [x, y] = under(event);
		if (!drag.current) {
			const box = event.currentTarget.getBoundingClientRect();
			setOver(points.nearest(x, y, 12 / sizeOf(box.width, box.height, look)));
			return;
		}
		drag.current.moved = true;
		if (mode === "lasso") setLine((now) => [...now, [x, y]]);
		else {
			const box = event.currentTarget.getBoundingClientRect();
			const side = sizeOf(box.width, box.height, look);
			const from = drag.current;
			setLook({ ...from.look, x: from.look.x - (event.clientX - from.x) / side, y: from.look.y - (event.clientY - from.y) / side });
		}
	};
	const up = () => {
		if (mode === "lasso" && line.length > 2) onChoose(points.inside(line));
		else if (drag.current && !drag.current.moved && over >= 0) go(`#/ask?ref=${points.columns.id[over]}`);
		drag.current = null;
		setLine([]);
	};
	const key = (event) => {
		const step = 0.08 / look.zoom;
		const moved = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[event.key];
		if (moved) setLook((now) => ({ ...now, x: now.x + moved[0], y: now.y + moved[1] }));
		else if (event.key === "+" || event.key === "=") zoom(1.4);
		else if (event.key === "-") zoom(1 / 1.4);
		else if (event.key === "0") setLook({ x: 0.5, y: 0.5, zoom: 1 });
		else return;
		event.preventDefault();
		event.stopPropagation();
	};
	return html`<div class="chart ${mode}">
		<canvas ref=${canvas} tabindex="0" role="application" aria-label="Map of the library. Arrow keys move it, plus and minus zoom, 0 shows all. The list of clusters below holds the same tracks."
			onKeyDown=${key} onPointerMove=${move} onPointerUp=${up} onPointerLeave=${() => setOver(-1)}
			onPointerDown=${(event) => {
				drag.current = { x: event.clientX, y: event.clientY, look, moved: false };
				if (mode === "lasso") setLine([under(event)]);
				event.currentTarget.setPointerCapture(event.pointerId);
			}}></canvas>
		<div class="zoom"><button class="round" onClick=${() => zoom(1.6)} aria-label="Nearer">+</button>
			<button class="round" onClick=${() => zoom(1 / 1.6)} aria-label="Farther">−</button></div>
		${card && html`<p class="tip" role="status"><b>${titleOf(card)}</b><span class="by inline"> ${card.artist ?? ""}</span></p>`}
	</div>`;
}

/**
 * The largest clusters by name, none over another.
 * @param {CanvasRenderingContext2D} pen @param {ReturnType<Points["clusters"]>} clusters
 * @param {(x: number, y: number) => [number, number]} to @param {CSSStyleDeclaration} style @param {number} scale
 */
function names(pen, clusters, to, style, scale) {
	pen.font = `600 ${12.5 * scale}px ${style.fontFamily}`;
	pen.textAlign = "center";
	pen.lineWidth = 4 * scale;
	pen.lineJoin = "round";
	pen.strokeStyle = style.getPropertyValue("--panel");
	pen.fillStyle = style.getPropertyValue("--text");
	/** @type {[number, number, number][]} */
	const taken = [];
	for (const one of clusters) {
		const [x, y] = to(one.x, one.y);
		const half = pen.measureText(one.name).width / 2 + 8 * scale;
		if (x - half < 0 || x + half > pen.canvas.width || taken.some(([a, b, c]) => Math.abs(a - x) < half + c && Math.abs(b - y) < 20 * scale)) continue;
		taken.push([x, y, half]);
		pen.strokeText(one.name, x, y);
		pen.fillText(one.name, x, y);
	}
}

/** @param {CSSStyleDeclaration} style @returns {number[][]} 16 of sets, 32 of a scale, and the one for the unknown */
function paletteOf(style) {
	const probe = /** @type {CanvasRenderingContext2D} */ (document.createElement("canvas").getContext("2d", { willReadFrequently: true }));
	/** @param {string} colour */
	const read = (colour) => {
		probe.fillStyle = colour;
		probe.fillRect(0, 0, 1, 1);
		return [...probe.getImageData(0, 0, 1, 1).data.slice(0, 3)];
	};
	// The colours of sections carry letters; as dots on a light ground they need more weight.
	const weight = read(style.getPropertyValue("--panel").trim())[0] > 128 ? 0.72 : 1;
	const sets = Array.from({ length: 16 }, (_, place) => read(style.getPropertyValue(`--s${place % 8}`).trim()).map((band) => Math.round(band * weight)));
	const stops = [[72, 96, 190], [66, 160, 170], [150, 178, 90], [232, 164, 60], [226, 84, 70]];
	const scale = Array.from({ length: 32 }, (_, place) => {
		const along = (place / 31) * 4;
		const low = Math.min(3, Math.floor(along));
		return stops[low].map((value, band) => Math.round(value + (stops[low + 1][band] - value) * (along - low)));
	});
	return [...sets, ...scale, read(style.getPropertyValue("--wave").trim())];
}
