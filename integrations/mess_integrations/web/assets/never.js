/** What is never suggested: rules to add and to take back. */

import { ask, get, post } from "./api.js";
import { html, useState } from "./preact.js";
import { useLoaded } from "./store.js";
import { count } from "./words.js";

/** Bars the artist or the album of a track. @param {{ track: Card }} props */
export function NeverThis({ track }) {
	const [said, setSaid] = useState("");
	const bar = (rule) => post("v1/never", rule)
		.then((added) => `${count(added.tracks, "track is", "tracks are")} never suggested now; Status takes it back.`, (error) => error.message)
		.then(setSaid);
	return html`<p class="hint" role="status">${said || html`Never suggest
		${["artist", "album"].map((name) => track[name] && html` <button class="link" onClick=${() => bar({ [name]: track[name] })}>this ${name}</button>`)}`}</p>`;
}

/** All rules, each of which can be taken back. */
export function Never() {
	const [changes, change] = useState(0);
	const [found] = useLoaded(() => get("v1/never"), [changes]);
	return found?.rules.length > 0 && html`<h2>Never suggested</h2><ul class="lines">${found.rules.map(
		(one) => html`<li key=${one.id}><span class="dot" /><span class="title">${one.says}</span>
			<button class="link" aria-label=${`Suggest again: ${one.says}`} onClick=${() => ask("DELETE", `v1/never/${one.id}`).then(() => change((n) => n + 1))}>suggest again</button>
			<span class="by">${one.listener ?? ""}</span></li>`,
	)}</ul>`;
}
