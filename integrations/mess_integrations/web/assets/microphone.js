/** Ten seconds from the microphone. */

import { Store } from "./store.js";

const SECONDS = 10;

export const isRecording = new Store(false);
/** @type {MediaRecorder | null} */
let recorder = null;

/**
 * Record, or end a recording that is under way.
 * @param {(sound: Blob, name: string) => void} done
 * @param {(problem: string) => void} fail
 */
export async function record(done, fail) {
	if (recorder) {
		recorder.stop();
		return;
	}
	if (!navigator.mediaDevices?.getUserMedia) {
		fail("This browser lets pages use the microphone only over HTTPS or on this machine.");
		return;
	}
	/** @type {MediaStream} */
	let stream;
	try {
		// As it sounds: what helps speech harms music.
		const audio = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
		stream = await navigator.mediaDevices.getUserMedia({ audio });
	} catch {
		fail("The microphone was not given. The browser's address bar can allow it.");
		return;
	}
	/** @type {Blob[]} */
	const parts = [];
	recorder = new MediaRecorder(stream);
	recorder.ondataavailable = (event) => void parts.push(event.data);
	recorder.onstop = () => {
		for (const track of stream.getTracks()) track.stop();
		const type = recorder?.mimeType ?? "";
		recorder = null;
		isRecording.set(false);
		done(new Blob(parts, { type }), "recording");
	};
	recorder.start();
	isRecording.set(true);
	setTimeout(() => recorder?.state === "recording" && recorder.stop(), SECONDS * 1000);
}
