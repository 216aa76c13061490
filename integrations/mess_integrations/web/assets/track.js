/** One track: its waveform, sections, self-similarity, and what was heard in it. */

import { get, outlinesOf, trackOf } from "./api.js";
import { Icon } from "./icon.js";
import { NeverThis } from "./never.js";
import { Picture } from "./picture.js";
import { play, player, seek, toggle } from "./player.js";
import { html } from "./preact.js";
import { emptyQuestion, go, hashOf } from "./route.js";
import { Failure } from "./states.js";
import { useLoaded, useStore } from "./store.js";
import { Strip } from "./strip.js";
import { Waveform } from "./waveform.js";
import { clock, span, sureness, titleOf } from "./words.js";

/** @param {{ id: number }} props */
export function TrackView({ id }) {
	const [track, error] = useLoaded(() => trackOf(id), [id]);
	const [outlines] = useLoaded(() => outlinesOf([id]), [id]);
	const [sound] = useLoaded(() => get(`v1/tracks/${id}/sound`), [id]);
	const heard = useStore(player, (now) => (now.match?.track.id === id && now.side === "match" ? now : null));
	if (error) return html`<main><h1 class="unseen">Track</h1><${Failure} error=${error} /></main>`;
	if (!track) return html`<main aria-busy="true"><h1 class="unseen">Track</h1></main>`;

	/** @param {Stretch | null} stretch */
	const ask = (stretch) =>
		go(hashOf({ ...emptyQuestion(), refs: [String(id)], start: stretch && round(stretch.start_s), end: stretch && round(stretch.end_s) }));
	/** @param {number} at_s */
	const listen = (at_s) => (heard ? (seek(at_s), heard.isPlaying || toggle()) : play({ track, stretch: { start_s: at_s, end_s: track.duration_s } }));
	const sections = outlines?.get(id)?.sections ?? [];
	return html`<main class="track">
		<header>
			<button class="round big" onClick=${() => (heard ? toggle() : play({ track, stretch: null }))}
				aria-label=${heard?.isPlaying ? "Pause" : `Play ${titleOf(track)}`}><${Icon} name=${heard?.isPlaying ? "pause" : "play"} /></button>
			<div>
				<h1>${titleOf(track)}</h1>
				<p class="by">${[track.artist, track.album, track.year].filter(Boolean).join(" · ")}</p>
			</div>
			<button class="solid" onClick=${() => ask(null)}>What sounds like this?</button>
		</header>
		${sound?.problem && html`<p class="warning" role="status">${sound.problem}</p>`}
		<section aria-label="Waveform">
			<${Waveform} id=${id} duration_s=${track.duration_s} time_s=${heard?.time_s ?? 0} onSeek=${listen} onDrag=${ask}
				label=${`Position in ${titleOf(track)}`} />
			<${Strip} isTall duration_s=${track.duration_s} sections=${sections} time_s=${heard?.time_s ?? null}
				onPick=${(_at, section) => section && ask(section)} />
			<p class="hint">Drag over the waveform, or click a section, to ask for that stretch. <span class="right">${clock(track.duration_s)}</span></p>
		</section>
		<div class="halves">
			<section aria-label="Sections">
				<h2>Sections</h2>
				<ol class="sections">${sections.map(
					(one, place) => html`<li key=${place}>
						<span class="letter ${`s${(one.label.charCodeAt(0) - 65) % 8}`}">${one.label}</span>
						<button class="link plain" onClick=${() => listen(one.start_s)} aria-label=${`Play section ${one.label} from ${clock(one.start_s)}`}>${span(one)}</button>
						<span class="by">${one.repeats.length ? `again at ${one.repeats.map((other) => clock(sections[other].start_s)).join(", ")}` : ""}</span>
						<button class="link" onClick=${() => ask(one)} aria-label=${`Ask for section ${one.label} at ${clock(one.start_s)}`}>ask for it</button></li>`,
				)}</ol>
				<h2>Heard</h2>
				<${HeardTable} track=${track} />
				<h2>Where it lies</h2>
				<ul class="paths">${track.paths.map((path) => html`<li title=${path}>${path.replace(/[\ud800-\udfff]/gu, "�")}</li>`)}</ul>
				<${NeverThis} key=${id} track=${track} />
			</section>
			<section aria-label="Self-similarity">
				<h2>Which moments sound alike</h2>
				<${Picture} id=${id} time_s=${heard?.time_s ?? null} onPick=${listen} />
			</section>
		</div>
	</main>`;
}

const round = (seconds) => Math.round(seconds * 100) / 100;

/** @param {{ track: any }} props */
function HeardTable({ track }) {
	const heard = /** @type {TrackMeasures | null} */ (track.heard);
	if (!heard) return html`<p class="hint">Nothing yet: <code>mess facets</code> hears tempo, key and loudness of tracks that lack them.</p>`;
	const { tempo, key, loudness } = heard;
	const percent = (share) => (share === null ? null : { bar: share, title: `more than ${Math.round(share * 100)} % of a calibration library` });
	/** @type {[string, string, { bar?: number, title?: string, note?: string } | null][]} */
	const rows = [
		["Tempo", tempo ? `${Math.round(tempo.bpm)} bpm` : "none heard", tempo && { bar: tempo.confidence, note: sureness(tempo), title: `confidence ${tempo.confidence.toFixed(2)}` }],
		["Key", key ? key.name : "none heard", key && { bar: key.confidence, note: sureness(key), title: `confidence ${key.confidence.toFixed(2)}` }],
		["Loudness", loudness.integrated_lufs === null ? "silent" : `${loudness.integrated_lufs.toFixed(1).replace("-", "−")} LUFS`, loudness.range_lu === null ? null : { note: `range ${loudness.range_lu.toFixed(1)} LU` }],
		["Activity", "", percent(heard.activity)],
		["Brightness", "", percent(heard.brightness)],
		["Drive", "", percent(heard.drive)],
		["Mood", heard.moods.join(", ") || "in between", null],
		["Sounds like", track.tags?.heard.slice(0, 4).join(", ") || "no tag is sure", null],
	];
	return html`<table class="heard"><tbody>${rows.map(
		([name, value, more]) => html`<tr><th scope="row">${name}</th>${more ? html`<td>${value}</td>
			<td title=${more.title}>${more.bar !== undefined && html`<span class="meter"><i style=${{ width: `${Math.round(more.bar * 100)}%` }} /></span>`}</td>
			<td class="by">${more.note ?? (more.bar !== undefined ? `${Math.round(more.bar * 100)} %` : "")}</td>` : html`<td class="long" colspan="3">${value}</td>`}</tr>`,
	)}</tbody></table>`;
}
