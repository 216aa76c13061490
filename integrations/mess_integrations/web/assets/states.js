/** What stands where there is nothing to show: a sentence, and the next step. */

import { html } from "./preact.js";

/** @param {{ title: string, children?: any }} props */
export const State = ({ title, children }) =>
	html`<div class="state" role="status"><div class="sleeve" aria-hidden="true"></div><h2>${title}</h2>${children}</div>`;

/**
 * A failure in the words of the server, as a state of its own where it is a known one.
 * @param {{ error: Error & { status?: number }, onRetry?: () => void }} props
 */
export function Failure({ error, onRetry }) {
	const again = onRetry && html`<button class="solid" onClick=${onRetry}>Try again</button>`;
	const text = error.message;
	if (error.status === 0) {
		return html`<${State} title="MESS does not answer."><p>Start it with <code>mess up</code>, then try again.</p>${again}<//>`;
	}
	if (text.includes("nothing is indexed") || text.includes("at least 3 are needed")) return html`<${EmptyLibrary} />`;
	if (error.status === 503) {
		return html`<${State} title="The database does not answer."><p>${text}</p>${again}<//>`;
	}
	return html`<${State} title=${error.status === 404 ? "This is not here any more." : text.startsWith("no track passes") ? "Nothing fits." : "That cannot be answered."}>
		<p class="pre">${text}</p>${again}<//>`;
}

export const EmptyLibrary = () =>
	html`<${State} title="Your library is empty.">
		<p>Let MESS hear your music: <code>mess index ~/Music</code>. What is done can be asked about at once.</p>
		<p><a href="#/status">See how it goes</a></p><//>`;
