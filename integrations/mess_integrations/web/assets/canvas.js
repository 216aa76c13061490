/** A canvas that is drawn anew when its size or the colour scheme changes. */

import { useLayoutEffect, useRef, useState } from "./preact.js";

/** @returns {[{ current: HTMLCanvasElement | null }, { width: number, height: number }]} the canvas; its size in pixels of the screen */
export function useCanvas() {
	const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
	const [size, setSize] = useState({ width: 0, height: 0 });
	useLayoutEffect(() => {
		const box = /** @type {HTMLCanvasElement} */ (canvas.current);
		const scale = devicePixelRatio || 1;
		const measure = () => setSize({ width: Math.round(box.clientWidth * scale), height: Math.round(box.clientHeight * scale) });
		const watch = new ResizeObserver(measure);
		watch.observe(box);
		const scheme = matchMedia("(prefers-color-scheme: dark)");
		scheme.addEventListener("change", measure);
		return () => (watch.disconnect(), scheme.removeEventListener("change", measure));
	}, []);
	return [canvas, size];
}
