/** Pictograms, drawn in the colour of the text. */

import { html } from "./preact.js";

/** @type {Record<string, string>} */
const PATHS = {
	play: "M8 5.5v13l11-6.5z",
	pause: "M7 5h3.5v14H7zM13.5 5H17v14h-3.5z",
	next: "M6 6v12l8.5-6zM15.5 6H18v12h-2.5z",
	loop: "M7 8h9v3l4-4-4-4v3H5v6h2zM17 16H8v-3l-4 4 4 4v-3h11v-6h-2z",
	plus: "M11 5h2v6h6v2h-6v6h-2v-6H5v-2h6z",
	minus: "M5 11h14v2H5z",
	up: "M3 10h4v10H3zM9 20h8.2c.8 0 1.6-.5 1.8-1.3l2-6.2c.4-1.3-.5-2.5-1.8-2.5H14l.8-4.2c.2-1-.4-1.9-1.3-2.2L9 10z",
	down: "M21 14h-4V4h4zM15 4H6.8C6 4 5.2 4.5 5 5.3l-2 6.2C2.6 12.8 3.5 14 4.8 14H10l-.8 4.2c-.2 1 .4 1.9 1.3 2.2L15 14z",
	close: "M6.4 5 12 10.6 17.6 5 19 6.4 13.4 12l5.6 5.6-1.4 1.4L12 13.4 6.4 19 5 17.6 10.6 12 5 6.4z",
	search: "M10 4a6 6 0 1 0 3.7 10.7l4.8 4.8 1.4-1.4-4.8-4.8A6 6 0 0 0 10 4zm0 2a4 4 0 1 1 0 8 4 4 0 0 1 0-8z",
	mic: "M12 3a3 3 0 0 0-3 3v5a3 3 0 0 0 6 0V6a3 3 0 0 0-3-3zM6 11h-.2a6.2 6.2 0 0 0 5.2 6v3h2v-3a6.2 6.2 0 0 0 5.2-6H16a4 4 0 0 1-8 0z",
	file: "M6 3h8l5 5v13H6zM13 4.5V9h4.5z",
	drag: "M9 5h2v2H9zM13 5h2v2h-2zM9 11h2v2H9zM13 11h2v2h-2zM9 17h2v2H9zM13 17h2v2h-2z",
	save: "M11 4h2v8l3-3 1.4 1.4L12 15.8l-5.4-5.4L8 9l3 3zM5 18h14v2H5z",
};

/** @param {{ name: string }} props */
export const Icon = ({ name }) =>
	html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false"><path d=${PATHS[name]} fill="currentColor" /></svg>`;
