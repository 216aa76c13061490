/** The page: which view stands where, and the keys that work in all of them. */

import { ask, connection } from "./api.js";
import { Ask } from "./ask.js";
import { Lists } from "./lists.js";
import { MapView } from "./map.js";
import { player, loop, nudge, stop, switchSides, toggle } from "./player.js";
import { PlayerBar } from "./playerbar.js";
import { html, render, useEffect } from "./preact.js";
import { route } from "./route.js";
import { SignIn } from "./signin.js";
import { StatusView } from "./status.js";
import { useStore } from "./store.js";
import { TrackView } from "./track.js";

const VIEWS = /** @type {const} */ ([
	["ask", "Ask"],
	["lists", "Lists"],
	["map", "Map"],
	["status", "Status"],
]);

function Page() {
	const { view, rest, words } = useStore(route, (now) => now);
	const { signedIn, problem } = useStore(connection, (now) => now);
	useKeys();
	if (view === "in" || !signedIn) return html`<${SignIn} code=${view === "in" ? rest[0] : null} />`;
	return html`
		<header class="top">
			<a class="brand" href="#/ask">MESS</a>
			<nav aria-label="Views">${VIEWS.map(
				([name, title]) => html`<a href=${`#/${name}`} aria-current=${view === name ? "page" : undefined}>${title}</a>`,
			)}</nav>
			<button class="link out" onClick=${signOut}>Sign out</button>
		</header>
		${problem && html`<p class="banner" role="alert">${problem}</p>`}
		<${View} key=${view} view=${view} rest=${rest} words=${words} />
		<${PlayerBar} />`;
}

/** @param {{ view: string, rest: string[], words: URLSearchParams }} props */
function View({ view, rest, words }) {
	if (view === "track") return html`<${TrackView} key=${rest[0]} id=${Number(rest[0])} />`;
	if (view === "lists") return html`<${Lists} kind=${rest[0] ?? "alike"} words=${words} />`;
	if (view === "map") return html`<${MapView} words=${words} />`;
	if (view === "status") return html`<${StatusView} />`;
	return html`<${Ask} words=${words} />`;
}

async function signOut() {
	stop();
	await ask("DELETE", "v1/session").catch(() => {});
	connection.patch({ signedIn: false });
}

function useKeys() {
	useEffect(() => {
		const key = (event) => {
			const target = event.target;
			if (event.ctrlKey || event.metaKey || event.altKey || target.closest("input, textarea, select")) return;
			if (event.key === "/") {
				event.preventDefault();
				document.getElementById("ask")?.focus();
			} else if (event.key === "b") switchSides();
			else if (event.key === "o") loop();
			else if (event.key === "ArrowLeft" && !target.closest("[role=slider]")) nudge(-5);
			else if (event.key === "ArrowRight" && !target.closest("[role=slider]")) nudge(5);
			else if (event.key === " " && !target.closest("button, a, summary, [role=slider]") && player.value.match && !event.defaultPrevented) {
				event.preventDefault();
				toggle();
			}
		};
		addEventListener("keydown", key);
		return () => removeEventListener("keydown", key);
	}, []);
}

render(html`<${Page} />`, /** @type {HTMLElement} */ (document.getElementById("page")));
