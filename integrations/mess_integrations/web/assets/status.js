/** How MESS is: live, without reloading. */

import { address, connection, post } from "./api.js";
import { html, useEffect, useState } from "./preact.js";
import { Never } from "./never.js";
import { Store, useStore } from "./store.js";
import { about, ago, count, figure, nameOf } from "./words.js";

/** The last document of the stream, while somebody looks. */
export const live = new Store(/** @type {any} */ (null));
/** @type {EventSource | null} */
let source = null;

function listen() {
	if (source) return;
	source = new EventSource(address("v1/status/live"));
	source.onmessage = (event) => {
		connection.patch({ problem: null });
		live.set(JSON.parse(event.data));
	};
	source.onerror = () => connection.patch({ problem: "The live status is interrupted; the page tries again." });
}

function leave() {
	source?.close();
	source = null;
	connection.patch({ problem: null });
}

export function StatusView() {
	const now = useStore(live, (value) => value);
	const [, tick] = useState(0);
	useEffect(() => {
		listen();
		const timer = setInterval(() => tick((n) => n + 1), 5000);
		return () => {
			clearInterval(timer);
			leave();
		};
	}, []);
	return html`<main class="status"><h1>How it is</h1>${now ? html`<${Board} now=${now} />` : html`<p class="hint" role="status">Looking…</p>`}</main>`;
}

/** @param {{ now: any }} props */
function Board({ now }) {
	if (now.problem) {
		return html`<p class="warning" role="alert">The database is down: ${now.problem}</p><${Services} now=${now} />`;
	}
	/** @type {Record<string, number>} */
	const jobs = { wanted: 0, running: 0, done: 0, failed: 0 };
	for (const states of Object.values(now.jobs)) for (const [state, n] of Object.entries(/** @type {any} */ (states))) jobs[state] = (jobs[state] ?? 0) + n;
	const waiting = jobs.wanted + jobs.running;
	const total = waiting + jobs.done;
	const idle = waiting > 0 && !now.workers.length;
	return html`
		<div class="tiles">
			<${Tile} value=${figure(now.library.tracks)} name="tracks" note=${`${now.library.hours < 1 ? `${Math.round(now.library.hours * 60)} minutes` : `${figure(Math.round(now.library.hours))} hours`} of music`} />
			<${Tile} value=${figure(waiting)} name="waiting" note=${waiting ? (now.left_s ? `about ${about(now.left_s)} left` : idle ? "no worker is there" : "starting") : "nothing waits"} />
			<${Tile} value=${now.pace.jobs_per_s ? now.pace.jobs_per_s.toFixed(now.pace.jobs_per_s < 10 ? 1 : 0) : "0"} name="files a second" note=${now.pace.notice_to_searchable_s.median === null ? "within the last minute" : `${about(now.pace.notice_to_searchable_s.median)} from noticed to found`} />
			<${Tile} value=${figure(jobs.failed)} name="failed" note=${now.library.missed_files ? count(now.library.missed_files, "file is missing", "files are missing") : jobs.failed ? "see below" : "all could be heard"} isBad=${jobs.failed > 0} />
		</div>
		${waiting > 0 && html`<div class="progress" role="progressbar" aria-label="Indexed" aria-valuemin="0" aria-valuemax=${total} aria-valuenow=${jobs.done}><i style=${{ width: `${(100 * jobs.done) / total}%` }} /></div>`}
		${idle && html`<p class="warning" role="alert">${count(waiting, "file waits", "files wait")}, but no worker is running: <code>mess up</code> starts one.</p>`}
		${now.switch && html`<p class="hint">Changing to ${now.switch.to}: ${now.switch.done} done, ${now.switch.left} left${now.switch.eta_s ? `, about ${about(now.switch.eta_s)}` : ""}.</p>`}
		<div class="halves">
			<section><h2>Watched folders</h2>
				${now.roots.length ? html`<ul class="lines">${now.roots.map(
					(root) => html`<li><span class="dot ${root.state === "watched" ? "good" : "bad"}" /><span class="title" title=${root.path}>${root.path}</span>
						<span class="by">${root.state === "watched" ? (root.walked_at ? `looked through ${ago(root.walked_at)}` : "answers") : root.detail || root.state}</span></li>`,
				)}</ul>` : html`<p class="hint">None. <code>mess watch --add FOLDER</code> watches one.</p>`}
				<h2>Last heard</h2>
				<ul class="lines">${now.last.map(
					(one) => html`<li key=${one.path + one.at}><span class="dot ${one.state === "done" ? "good" : "bad"}" /><span class="title" title=${one.path}>${nameOf(one.path)}</span><span class="by">${one.outcome || one.state} · ${ago(one.at)}</span></li>`,
				)}</ul>
				${!now.last.length && html`<p class="hint">Nothing yet: <code>mess index ~/Music</code></p>`}
			</section>
			<section>
				<${Failures} failed=${now.failed} total=${jobs.failed} />
				<${Services} now=${now} />
				<${Never} />
				<h2>Encoder</h2>
				<ul class="lines">${now.spaces.map(
					(space) => html`<li><span class="dot ${space.answers ? "good" : ""}" /><span class="title" title=${space.name}>${space.name.split(":")[0].split("@")[0]}</span><span class="by">${count(space.tracks, "track")}, ${space.dim} numbers each${space.answers ? "; answers" : ""}</span></li>`,
				)}</ul>
			</section>
		</div>`;
}

/** @param {{ value: string, name: string, note: string, isBad?: boolean }} props */
const Tile = ({ value, name, note, isBad }) =>
	html`<div class="tile ${isBad ? "bad" : ""}"><b>${value}</b><span>${name}</span><small>${note}</small></div>`;

/** @param {{ now: any }} props */
const Services = ({ now }) => html`<h2>Services</h2>
	<ul class="lines">
		${now.services.map((one) => html`<li><span class="dot ${one.phase === "running" ? "good" : "bad"}" /><span class="title">${one.name}</span><span class="by">${one.phase}</span></li>`)}
		${now.workers?.map((one) => html`<li><span class="dot good" /><span class="title">worker on ${one.host}</span><span class="by">since ${ago(one.since)}</span></li>`)}
		${!now.services.length && !now.workers?.length && html`<li><span class="dot" /><span class="title">No service of this machine</span><span class="by"><code>mess up</code> keeps them running</span></li>`}
		<li><span class="dot ${now.disk.free_bytes < 1e9 ? "bad" : "good"}" /><span class="title">Disk</span><span class="by">${gigabytes(now.disk.free_bytes)} free of ${gigabytes(now.disk.total_bytes)}</span></li>
	</ul>`;

const gigabytes = (bytes) => `${(bytes / 1e9).toFixed(bytes < 1e10 ? 1 : 0)} GB`;

/** @param {{ failed: any[], total: number }} props */
function Failures({ failed, total }) {
	const [said, setSaid] = useState("");
	if (!total) return null;
	/** @param {string[] | null} paths */
	const retry = async (paths) => {
		try {
			const { retried } = await post("v1/failures/retry", { paths });
			setSaid(`${count(retried, "file is", "files are")} tried again.`);
		} catch (error) {
			setSaid(error.message);
		}
	};
	return html`<h2>Could not be heard <button class="link" onClick=${() => retry(null)}>Try all again</button></h2>
		<p class="hint" role="status">${said}</p>
		<ul class="lines failures">${failed.map(
			(one) => html`<li key=${one.path}><span class="dot bad" /><span class="title" title=${one.path}>${nameOf(one.path)}</span>
				<button class="link" onClick=${() => retry([one.path])} aria-label=${`Try ${nameOf(one.path)} again`}>try again</button>
				<span class="by wide">${one.reason}</span></li>`,
		)}</ul>`;
}
