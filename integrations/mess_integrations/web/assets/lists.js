/** Lists: alike, journey, arc, radio, or a choice of one's own; put in order by hand, saved, sent. */

import { ask, get, post } from "./api.js";
import { useCards } from "./ask.js";
import { Curve, SHAPES } from "./curve.js";
import { Icon } from "./icon.js";
import { play, player } from "./player.js";
import { html, useEffect, useMemo, useState } from "./preact.js";
import { bodyOf, go, questionIn } from "./route.js";
import { Search } from "./search.js";
import { Failure, State } from "./states.js";
import { useStore } from "./store.js";
import { Chips } from "./steer.js";
import { about, clock, count, titleOf } from "./words.js";

/** @type {Record<string, { title: string, about: string, most: number }>} */
const KINDS = {
	alike: { title: "Alike", about: "Tracks like these, in an order that flows.", most: 100 },
	journey: { title: "Journey", about: "An even path from one track to another.", most: 2 },
	arc: { title: "Arc", about: "Energy follows the curve that you draw.", most: 100 },
	radio: { title: "Radio", about: "Endless: like these, and like what came before.", most: 100 },
};

/** @param {{ kind: string, words: URLSearchParams }} props */
export function Lists({ kind, words }) {
	const question = useMemo(() => questionIn(words), [words]);
	const n = Math.min(200, Math.max(2, Number(words.get("n")) || 20));
	const seed = Number(words.get("seed")) || 0;
	const curve = words.get("curve") ?? "peak";
	const strictness = Number(words.get("strictness") ?? 0.5);
	const anchor = words.get("anchor") ?? "seed";
	const own = words.get("t");
	const shown = own ? "own" : KINDS[kind] ? kind : "alike";
	/** @param {Record<string, string | number | string[] | null>} changes @param {string} [other] */
	const set = (changes, other = shown) => {
		const next = new URLSearchParams(words);
		for (const [name, value] of Object.entries(changes)) {
			next.delete(name);
			for (const one of Array.isArray(value) ? value : value === null || value === "" ? [] : [value]) next.append(name, String(one));
		}
		go(`#/lists/${other}${next.size ? `?${next}` : ""}`);
	};
	const refs = question.refs;
	const isReady = own !== null || (shown === "journey" ? refs.length === 2 : shown === "arc" || refs.length > 0);
	return html`<main class="lists"><h1 class="unseen">Lists</h1>
		<div class="kinds" role="group" aria-label="Kind of list">
			${Object.entries(KINDS).map(([name, one]) => html`<button aria-pressed=${shown === name}
				onClick=${() => set({ t: null, ref: name === "journey" ? refs.slice(0, 2) : refs }, name)}>${one.title}</button>`)}
			${own && html`<button aria-pressed="true">Your choice</button>`}
		</div>
		${!own && html`<div class="make">
			<p class="hint">${KINDS[shown].about}</p>
			${shown === "arc" && html`<${Curve} value=${curve} onChange=${(text) => set({ curve: text })} />
				<div class="chips">${Object.keys(SHAPES).map((name) => html`<button class="chip" aria-pressed=${curve === name} onClick=${() => set({ curve: name })}>${name}</button>`)}</div>`}
			<${Refs} refs=${refs} kind=${shown} onChange=${(next) => set({ ref: next })} />
			${refs.length < KINDS[shown].most && html`<${Search} label=${shown === "journey" ? (refs.length ? "To: a title" : "From: a title") : shown === "arc" ? "Only like: a title (not needed)" : "Like: a title, an artist, an album"}
				onChoose=${(choice) => set({ ref: [...new Set([...refs, ...choice.refs])].slice(0, KINDS[shown].most) })}
				onSound=${() => {}} isBare />`}
			<div class="row">
				${shown !== "radio" && html`<label>Tracks <input type="number" min="2" max="200" value=${n} onChange=${(event) => set({ n: Number(event.currentTarget.value) })} /></label>`}
				${shown === "radio" && html`<label>Locked in <input type="range" min="0" max="1" step="0.1" value=${1 - strictness} onChange=${(event) => set({ strictness: 1 - Number(event.currentTarget.value) })} /> adventurous</label>
					<label><input type="checkbox" checked=${anchor === "vibe"} onChange=${(event) => set({ anchor: event.currentTarget.checked ? "vibe" : "" })} /> follow the vibe</label>`}
				<button class="quiet" onClick=${() => set({ seed: seed + 1 })}>Another one</button>
			</div>
			<details class="more"><summary>Who may be in it</summary><${Chips} question=${question} only="filters" onChange=${(next) =>
				set({ tempo: next.tempo, key: next.key, mood: next.moods, year: next.year, duration: next.duration, genre: next.genre, tag: next.tag, exclude: next.exclude })} /></details>
		</div>`}
		${isReady ? html`<${Made} key=${shown} kind=${shown} question=${question} n=${n} seed=${seed} curve=${curve} own=${own} style=${{ strictness, anchor }} />`
			: html`<${State} title=${shown === "journey" ? "Where from, and where to?" : "What shall it be like?"}><p>Choose ${shown === "journey" ? "two tracks" : "a track, an artist or an album"} above.</p><//>`}
	</main>`;
}

/** @param {{ refs: string[], kind: string, onChange: (refs: string[]) => void }} props */
function Refs({ refs, kind, onChange }) {
	const cards = useCards(refs);
	return html`<ul class="refs">${refs.map((ref, place) => {
		const card = cards.get(ref);
		return html`<li key=${ref}>${kind === "journey" && html`<span class="by">${place ? "to" : "from"}</span>`}
			<span class="title">${card ? titleOf(card) : "…"}</span><span class="by">${card?.artist ?? ""}</span>
			<button class="small" onClick=${() => onChange(refs.filter((one) => one !== ref))} aria-label=${`Take out ${card ? titleOf(card) : ref}`}><${Icon} name="close" /></button></li>`;
	})}</ul>`;
}

/** What a radio played, by its question, so that it goes on where it was. @param {string} key */
const playedOn = (key) => /** @type {number[]} */ (JSON.parse(localStorage.getItem(`radio ${key}`) ?? "[]"));

/** @param {{ kind: string, question: Question, n: number, seed: number, curve: string, own: string | null, style: object }} props */
function Made({ kind, question, n, seed, curve, own, style }) {
	const [tracks, setTracks] = useState(/** @type {Card[] | null} */ (null));
	const [flow, setFlow] = useState(/** @type {number[]} */ ([]));
	const [notes, setNotes] = useState(/** @type {string[]} */ ([]));
	const [error, setError] = useState(/** @type {Error | null} */ (null));
	const { filters } = /** @type {any} */ (bodyOf(question));
	const key = JSON.stringify([kind, question.refs, filters, n, seed, curve, own, style]);
	const radio = JSON.stringify([question.refs, filters, seed]);

	/** @param {number[]} played @param {number} wanted */
	const askFor = (played, wanted) => {
		const refs = question.refs;
		/** @type {Record<string, unknown>} */
		const body = { n: wanted, seed, ...(filters ? { filters } : {}) };
		if (kind === "journey") Object.assign(body, { start: refs[0], end: refs[1] });
		else if (kind === "arc") Object.assign(body, { curve: SHAPES[curve] ? curve : curve.split(",").map(Number), like: refs });
		else if (kind === "radio") Object.assign(body, { refs, played, listener: "me", ...style });
		else Object.assign(body, { refs });
		return post(`v1/playlists/${kind}`, body);
	};
	useEffect(() => {
		let isOver = false;
		setError(null);
		const timer = setTimeout(
			() =>
				(own ? post("v1/lists", { tracks: own.split(",").map(Number) }) : askFor(kind === "radio" ? playedOn(radio) : [], kind === "radio" ? 12 : n)).then(
					(made) => {
						if (isOver) return;
						setTracks(made.tracks);
						setNotes(made.notes ?? []);
						setFlow(made.smoothness ?? []);
					},
					(problem) => isOver || (setError(problem), setTracks(null)),
				),
			kind === "arc" ? 200 : 0,
		);
		return () => {
			isOver = true;
			clearTimeout(timer);
		};
	}, [key]);

	/** @param {Card[]} next */
	const reorder = async (next) => {
		setTracks(next);
		setFlow([]);
		if (!next.length) return;
		const made = await post("v1/lists", { tracks: next.map((one) => one.id) }).catch(() => null);
		if (made) setFlow(made.smoothness);
	};
	/** @param {number} from @param {number} to */
	const move = (from, to) => {
		if (!tracks || to < 0 || to >= tracks.length || from === to) return;
		const next = [...tracks];
		next.splice(to, 0, ...next.splice(from, 1));
		void reorder(next);
	};
	/** @param {number} place */
	const listen = (place) => {
		if (!tracks) return;
		void play({ track: tracks[place], stretch: null }, null, tracks.slice(place + 1));
		if (kind !== "radio") return player.patch({ more: null });
		const heard = [...playedOn(radio), ...tracks.slice(0, place + 1).map((one) => one.id)];
		remember(radio, heard);
		player.patch({
			more: async () => {
				const made = await askFor(playedOn(radio), 6);
				remember(radio, [...playedOn(radio), ...made.tracks.map((one) => one.id)]);
				return made.tracks;
			},
		});
	};
	if (error) return html`<${Failure} error=${error} />`;
	if (!tracks) return html`<p class="hint" role="status">Making the list…</p>`;
	const total_s = tracks.reduce((sum, one) => sum + one.duration_s, 0);
	return html`<section class="made" aria-label="List">
		<header><p><b>${count(tracks.length, "track")}</b> <span class="by inline">${kind === "radio" ? "and so on" : about(total_s)}</span></p>
			<button class="solid" disabled=${!tracks.length} onClick=${() => listen(0)}>Play</button>
			<${Save} tracks=${tracks} name=${KINDS[kind]?.title ?? "Selection"} /></header>
		${notes.map((note) => html`<p class="hint">${note}</p>`)}
		<${Order} tracks=${tracks} flow=${flow} onMove=${move} onPlay=${listen} onRemove=${(place) => reorder(tracks.filter((_, at) => at !== place))}
			onJudge=${kind === "radio" && ((id, verdict) => post("v1/verdicts", { verdict, ref: String(id), for: question.refs[0], listener: "me" }))} />
		${kind === "radio" && playedOn(radio).length > 0 && html`<p class="hint">It goes on after ${count(playedOn(radio).length, "track")} that it played.
			<button class="link" onClick=${() => (localStorage.removeItem(`radio ${radio}`), location.reload())}>Start over</button></p>`}
	</section>`;
}

/** @param {string} radio @param {number[]} ids */
const remember = (radio, ids) => localStorage.setItem(`radio ${radio}`, JSON.stringify([...new Set(ids)].slice(-900)));

/** @param {{ tracks: Card[], flow: number[], onMove: (from: number, to: number) => void, onPlay: (place: number) => void, onRemove: (place: number) => void, onJudge: false | ((id: number, verdict: string) => void) }} props */
function Order({ tracks, flow, onMove, onPlay, onRemove, onJudge }) {
	const [said, setSaid] = useState(/** @type {Record<number, string>} */ ({}));
	/** @param {Card} track @param {string} verdict @param {string} icon */
	const judge = (track, verdict, icon) => html`<button class="small" aria-pressed=${said[track.id] === verdict}
		aria-label=${`${verdict} ${titleOf(track)}`} title=${verdict === "like" ? "More like this" : "Never this"}
		onClick=${() => onJudge && (onJudge(track.id, verdict), setSaid({ ...said, [track.id]: verdict }))}><${Icon} name=${icon} /></button>`;
	const [dragged, setDragged] = useState(/** @type {number | null} */ (null));
	const [target, setTarget] = useState(/** @type {number | null} */ (null));
	const playing = useStore(player, (now) => now.match?.track.id ?? null);
	return html`<ol class="order ${onJudge ? "judged" : ""}">${tracks.map((track, place) => {
		const step = flow[place - 1];
		return html`<li key=${track.id} draggable="true" class="${playing === track.id ? "current" : ""} ${target === place ? "target" : ""}"
			onDragStart=${(event) => (setDragged(place), event.dataTransfer?.setData("text/plain", titleOf(track)))}
			onDragOver=${(event) => dragged !== null && (event.preventDefault(), setTarget(place))}
			onDrop=${(event) => (event.preventDefault(), event.stopPropagation(), dragged !== null && onMove(dragged, place))}
			onDragEnd=${() => (setDragged(null), setTarget(null))}>
			<span class="rank">${place + 1}</span>
			<span class="step" title=${step === undefined ? "" : `Leads on ${flowWord(step)} (${step.toFixed(2)})`}>${step !== undefined && html`<i class=${step >= 0.6 ? "smooth" : step >= 0.35 ? "" : "rough"} />`}</span>
			<button class="round" onClick=${() => onPlay(place)} aria-label=${`Play ${titleOf(track)}`}><${Icon} name="play" /></button>
			<div class="what"><a class="title" href=${`#/track/${track.id}`}>${titleOf(track)}</a><span class="by">${[track.artist, track.album].filter(Boolean).join(" · ")}</span></div>
			${onJudge && html`<span class="deeds">${judge(track, "like", "up")}${judge(track, "dislike", "down")}</span>`}
			<span class="by">${clock(track.duration_s)}</span>
			<button class="small" data-move=${place} aria-label=${`Move ${titleOf(track)}: arrow keys up and down`} title="Drag, or arrow keys"
				onKeyDown=${(event) => {
					const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
					if (by === undefined) return;
					event.preventDefault();
					event.stopPropagation();
					onMove(place, place + by);
					requestAnimationFrame(() => /** @type {HTMLElement | null} */ (document.querySelector(`[data-move="${place + by}"]`))?.focus());
				}}><${Icon} name="drag" /></button>
			<button class="small" onClick=${() => onRemove(place)} aria-label=${`Take out ${titleOf(track)}`}><${Icon} name="close" /></button></li>`;
	})}</ol>`;
}

const flowWord = (step) => (step >= 0.6 ? "smoothly" : step >= 0.35 ? "fairly" : "abruptly");

/** @param {{ tracks: Card[], name: string }} props */
function Save({ tracks, name }) {
	const [users, setUsers] = useState(/** @type {string[]} */ ([]));
	const [said, setSaid] = useState("");
	const ids = tracks.map((one) => one.id);
	useEffect(() => void get("v1/players").then((found) => setUsers(found.jellyfin), () => {}), []);
	/** @param {string} format */
	const save = async (format) => {
		const text = await ask("POST", `v1/lists?format=${format}`, { body: { tracks: ids }, text: true }).catch((error) => (setSaid(error.message), null));
		if (text === null) return;
		const link = document.createElement("a");
		link.href = URL.createObjectURL(new Blob([text]));
		link.download = `${name.toLowerCase()}.${format}`;
		link.click();
		setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
	};
	/** @param {string} user */
	const send = async (user) => {
		try {
			const sent = await post("v1/players/jellyfin", { tracks: ids, name: `MESS ${name.toLowerCase()} ${new Date().toLocaleDateString("sv")}`, user });
			setSaid(`${count(sent.sent, "track is", "tracks are")} in Jellyfin now.${sent.unknown.length ? ` ${sent.unknown.length} it does not know.` : ""}`);
		} catch (error) {
			setSaid(error.message);
		}
	};
	return html`<button class="quiet" disabled=${!ids.length} onClick=${() => save("m3u8")}><${Icon} name="save" />M3U8</button>
		<button class="quiet" disabled=${!ids.length} onClick=${() => save("xspf")}><${Icon} name="save" />XSPF</button>
		${users.map((user) => html`<button class="quiet" disabled=${!ids.length} onClick=${() => send(user)}>To Jellyfin${users.length > 1 ? `, ${user}` : ""}</button>`)}
		<span class="hint" role="status">${said}</span>`;
}
