/** A track as a strip: its sections in their colours and letters, and the stretch that matched. */

import { html, useState } from "./preact.js";
import { clock, span } from "./words.js";

const N_COLOURS = 8;

/** @param {string} label */
export const colourOf = (label) =>
	label ? `s${[...label].reduce((sum, letter) => sum * 26 + letter.charCodeAt(0) - 65, 0) % N_COLOURS}` : "none";

/**
 * @param {{ duration_s: number, sections: Section[],
 *   stretch?: Stretch | null, repeats?: Stretch[],
 *   time_s?: number | null, onPick?: (at_s: number, section: Section | null) => void,
 *   label?: string, isTall?: boolean }} props
 */
export function Strip({ duration_s, sections, stretch, repeats = [], time_s, onPick, label, isTall }) {
	const [over, setOver] = useState(/** @type {string | null} */ (null));
	const share = (s) => `${Math.min(100, Math.max(0, (100 * s) / duration_s))}%`;
	const width = (/** @type {{start_s: number, end_s: number}} */ one) =>
		share(Math.min(duration_s, one.end_s) - one.start_s);
	const letters = sections.map((one) => one.label).join(" ");
	const said =
		label ??
		`${letters ? `Sections ${letters}` : "No sections"}${stretch ? `; matches at ${span(stretch)}` : ""}`;
	const pick = (event) => {
		const box = event.currentTarget.getBoundingClientRect();
		const at_s = ((event.clientX - box.left) / box.width) * duration_s;
		onPick?.(at_s, sections.find((one) => at_s >= one.start_s && at_s < one.end_s) ?? null);
	};
	return html`<div class="strip ${isTall ? "tall" : ""} ${onPick ? "live" : ""}" role="img" aria-label=${said}
		onClick=${onPick ? pick : undefined} onMouseLeave=${() => setOver(null)}>
		${sections.map(
			(one) => html`<span class="part ${colourOf(one.label)} ${over === null || over === one.label ? "" : "dim"}"
				style=${{ left: share(one.start_s), width: width(one) }} onMouseEnter=${() => setOver(one.label)}
				title=${`${one.label ? `${one.label}, ` : ""}${span(one)}${
					one.repeats.length ? `; returns ${one.repeats.length === 1 ? "once" : `${one.repeats.length} times`}` : ""
				}`}>${one.label}</span>`,
		)}
		${repeats.map((one) => html`<span class="repeat" style=${{ left: share(one.start_s), width: width(one) }}
			title=${`the same again at ${span(one)}`} />`)}
		${
			stretch &&
			html`<span class="veil" style=${{ left: 0, width: share(stretch.start_s) }} />
				<span class="veil" style=${{ left: share(stretch.end_s), right: 0 }} />
				<span class="mark" style=${{ left: share(stretch.start_s), width: width(stretch) }} />`
		}
		${time_s != null && html`<span class="head" style=${{ left: share(time_s) }} title=${clock(time_s)} />`}
	</div>`;
}
