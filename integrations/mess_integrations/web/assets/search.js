/** The box to ask in: words with suggestions, a sound that is dropped, or one that is recorded. */

import { get } from "./api.js";
import { Icon } from "./icon.js";
import { html, useEffect, useRef, useState } from "./preact.js";
import { isRecording, record } from "./microphone.js";
import { useStore } from "./store.js";
import { clock, count, nameOf, span, titleOf } from "./words.js";

/**
 * @typedef {{ key: string, kind: string, title: string, detail: string, refs: string[],
 *   stretch: Stretch | null }} Choice
 *
 * @param {{ onChoose: (choice: Choice) => void, onSound: (sound: Blob, name: string) => void,
 *   isLarge?: boolean, isBare?: boolean, label: string }} props
 */
export function Search({ onChoose, onSound, isLarge = false, isBare = false, label }) {
	const [text, setText] = useState("");
	const [choices, setChoices] = useState(/** @type {Choice[]} */ ([]));
	const [note, setNote] = useState("");
	const [isOpen, setOpen] = useState(false);
	const [active, setActive] = useState(0);
	const input = useRef(/** @type {HTMLInputElement | null} */ (null));
	const picker = useRef(/** @type {HTMLInputElement | null} */ (null));
	const recording = useStore(isRecording, (value) => value);

	useEffect(() => {
		const wanted = text.trim();
		const abort = new AbortController();
		const timer = setTimeout(
			() =>
				get("v1/suggest", { q: wanted, k: 7 }, abort.signal).then(
					(found) => {
						setChoices(choicesIn(found));
						setActive(0);
						setNote(noteOn(wanted, found));
					},
					(error) => abort.signal.aborted || setNote(error.message),
				),
			wanted ? 90 : 0,
		);
		return () => {
			clearTimeout(timer);
			abort.abort();
		};
	}, [text]);

	/** @param {Choice} choice */
	const choose = (choice) => {
		setText("");
		setOpen(false);
		onChoose(choice);
	};
	const key = (event) => {
		if (event.key === "ArrowDown" || event.key === "ArrowUp") {
			event.preventDefault();
			setOpen(true);
			const step = event.key === "ArrowDown" ? 1 : -1;
			setActive((now) => (now + step + choices.length) % Math.max(1, choices.length));
		} else if (event.key === "Enter" && choices[active] && (text.trim() || isOpen)) {
			event.preventDefault();
			choose(choices[active]);
		} else if (event.key === "Escape") {
			setOpen(false);
			input.current?.blur();
		}
	};
	const picked = (event) => {
		const field = event.currentTarget;
		const file = field.files?.[0];
		if (file) onSound(file, file.name);
		field.value = "";
	};
	const isShown = isOpen && (choices.length > 0 || note !== "");
	return html`<div class="search ${isLarge ? "large" : ""}"
		onFocusOut=${(event) =>
			event.currentTarget.contains(event.relatedTarget) || setOpen(false)}>
		<${Icon} name="search" />
		<input ref=${input} id="ask" type="text" role="combobox" aria-label=${label} placeholder=${label}
			autocomplete="off" spellcheck=${false} aria-autocomplete="list" aria-expanded=${isShown}
			aria-controls="suggestions" aria-activedescendant=${isShown && choices[active] ? `choice-${active}` : undefined}
			value=${text} onFocus=${() => setOpen(true)} onKeyDown=${key}
			onInput=${(event) => (setOpen(true), setText(event.currentTarget.value))} />
		${!isBare && html`<button class="quiet" onClick=${() => picker.current?.click()} title="Ask with a sound file">
			<${Icon} name="file" /><span>Sound file</span></button>
		<button class="quiet ${recording ? "hot" : ""}" onClick=${() => record(onSound, setNote)}
			title="Record ten seconds from the microphone" aria-pressed=${recording}>
			<${Icon} name="mic" /><span>${recording ? "Listening…" : "Record"}</span></button>
		<input ref=${picker} type="file" accept="audio/*,video/mp4,.flac,.ape,.wv,.dsf,.opus" hidden onChange=${picked} />`}
		<div class="suggestions" hidden=${!isShown}>
			<ul id="suggestions" role="listbox" aria-label="Suggestions">
				${choices.map(
					(choice, place) => html`<li id=${`choice-${place}`} key=${choice.key} role="option" aria-selected=${place === active}
						onMouseMove=${() => setActive(place)}
						onMouseDown=${(event) => (event.preventDefault(), choose(choice))}>
						<span class="kind">${choice.kind}</span><span class="title">${choice.title}</span>
						<span class="by">${choice.detail}</span></li>`,
				)}
			</ul>
			<p role="status">${note}</p>
		</div>
	</div>`;
}

/** @param {any} found @returns {Choice[]} */
function choicesIn(found) {
	/** @type {Stretch | null} */
	const stretch = found.stretch;
	/** @type {Choice[]} */
	const tracks = found.tracks.map((track) => ({
		key: `track-${track.id}`,
		kind: stretch ? "stretch" : "track",
		title: titleOf(track),
		detail: [track.artist, stretch ? span(stretch) : track.album ?? nameOf(track.path), clock(track.duration_s)]
			.filter(Boolean)
			.join(" · "),
		refs: [String(track.id)],
		stretch,
	}));
	/** @param {"artist" | "album"} kind @returns {Choice[]} */
	const named = (kind) =>
		(found[`${kind}s`] ?? []).map((one) => ({
			key: `${kind}-${one.name}-${one.artist}`,
			kind,
			title: one.name,
			detail: [one.artist, count(one.tracks, "track")].filter(Boolean).join(" · "),
			refs: one.ids.map(String),
			stretch: null,
		}));
	return [...tracks, ...named("artist"), ...named("album")];
}

/** @param {string} text @param {any} found */
function noteOn(text, found) {
	if (!text) return "";
	if (!found.tracks.length) return `Nothing in the library is called “${text}”.`;
	if (found.resembling) return "Nothing is called exactly that; these look alike.";
	const left = found.total - found.tracks.length;
	return left > 0 ? `… and ${count(left, "more track", "more tracks")}` : "";
}
