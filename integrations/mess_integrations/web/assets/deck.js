/** One audio element that plays any track from any second, whatever its codec. */

import { address, get } from "./api.js";

/** The level that sound is brought down to; quieter recordings stay as they are. */
export const TARGET_LUFS = -18;

export class Deck {
	/** @param {string} name @param {() => void} changed */
	constructor(name, changed) {
		this.element = new Audio();
		this.element.dataset.deck = name;
		this.element.preload = "auto";
		document.body.append(this.element);
		this.changed = changed;
		/** @type {string | null} */
		this.key = null;
		this.offset_s = 0;
		this.duration_s = 0;
		this.loudness_lufs = /** @type {number | null} */ (null);
		this.problem = /** @type {string | null} */ (null);
		this.url = "";
		this.isWhole = true;
		this.wanted_s = 0;
		this.generation = 0;
		this.isLoading = false;
		this.wantsPlay = false;
		for (const event of ["play", "pause", "ended", "timeupdate", "seeked", "waiting", "playing"]) {
			this.element.addEventListener(event, changed);
		}
		this.element.addEventListener("loadedmetadata", () => this.arrive());
		this.element.addEventListener("error", () => {
			if (!this.element.getAttribute("src")) return;
			this.problem = "The browser could not play this sound.";
			changed();
		});
	}

	/** The moment of the track that is heard, in seconds. */
	get time_s() {
		const pending = this.element.readyState < 1;
		return pending ? this.wanted_s : this.offset_s + this.element.currentTime;
	}

	get isPlaying() {
		return !this.element.paused && !this.element.ended;
	}

	/**
   * Make ready to play a track, or a file of this browser, from a second on.
   * @param {{ id?: number, blob?: Blob, key: string }} source
   * @param {number} at_s
   * @returns {Promise<boolean>} whether it can be played
   */
	async load(source, at_s) {
		if (this.key === source.key && !this.problem && !this.isLoading) {
			this.seek(at_s);
			return true;
		}
		const generation = ++this.generation;
		this.key = source.key;
		this.problem = null;
		this.wanted_s = at_s;
		this.element.pause();
		if (this.url) URL.revokeObjectURL(this.url);
		this.url = "";
		this.wantsPlay = false;
		this.isLoading = true;
		if (source.blob) {
			this.url = URL.createObjectURL(source.blob);
			this.isWhole = true;
			this.loudness_lufs = null;
			this.start(this.url);
			return true;
		}
		const sound = await get(`v1/tracks/${source.id}/sound`).catch((error) => ({
			problem: error.message,
			duration_s: 0,
		}));
		if (generation !== this.generation) return false;
		this.isLoading = false;
		this.duration_s = sound.duration_s;
		this.loudness_lufs = sound.loudness_lufs ?? null;
		if (sound.problem) {
			this.problem = sound.problem;
			this.element.removeAttribute("src");
			this.changed();
			return false;
		}
		this.isWhole = Boolean(sound.media_type && this.element.canPlayType(sound.media_type));
		this.path = `v1/tracks/${source.id}/audio`;
		this.begin(at_s);
		return true;
	}

	/** @param {number} at_s */
	begin(at_s) {
		this.wanted_s = at_s;
		if (this.isWhole) this.start(address(`${this.path}?form=file`));
		else this.start(address(`${this.path}?form=opus&start=${at_s.toFixed(3)}`), at_s);
	}

	/** @param {string} url @param {number} [offset_s] of the track, where the sound begins */
	start(url, offset_s = 0) {
		this.isLoading = false;
		this.offset_s = offset_s;
		this.element.src = url;
		this.element.load();
		if (this.wantsPlay) this.play();
		this.changed();
	}

	arrive() {
		if (this.isWhole) this.element.currentTime = this.wanted_s;
		if (!this.duration_s) this.duration_s = this.element.duration;
		this.changed();
	}

	/** @param {number} at_s */
	seek(at_s) {
		const last_s = Math.max(0, (this.duration_s || at_s) - 0.1);
		this.wanted_s = Math.min(Math.max(0, at_s), last_s);
		if (this.isWhole) {
			if (this.element.readyState >= 1) this.element.currentTime = this.wanted_s;
		} else {
			const wasPlaying = this.isPlaying;
			this.begin(this.wanted_s);
			if (wasPlaying) this.play();
		}
		this.changed();
	}

	play() {
		this.wantsPlay = this.isLoading;
		if (this.isLoading) return;
		this.element.play().catch((error) => {
			if (error.name === "NotAllowedError") this.problem = "Press play: the browser waits for a click.";
			this.changed();
		});
	}

	pause() {
		this.wantsPlay = false;
		this.element.pause();
	}

	/** @param {number} target_lufs */
	level(target_lufs) {
		const above = this.loudness_lufs === null ? 0 : this.loudness_lufs - target_lufs;
		this.element.volume = Math.min(1, 10 ** (-Math.max(0, above) / 20));
	}
}
