/** State that several parts of the page share. */

import { useEffect, useState } from "./preact.js";

/** @template T */
export class Store {
	/** @param {T} value */
	constructor(value) {
		this.value = value;
		/** @type {Set<() => void>} */
		this.listeners = new Set();
	}

	/** @param {T} value */
	set(value) {
		this.value = value;
		for (const listener of [...this.listeners]) listener();
	}

	/** @param {Partial<T>} changes */
	patch(changes) {
		this.set({ ...this.value, ...changes });
	}

	/** @param {() => void} listener @returns {() => void} ends it */
	listen(listener) {
		this.listeners.add(listener);
		return () => void this.listeners.delete(listener);
	}
}

/**
 * The value of a store, or a part of it, in a component that is drawn anew when that changes.
 * @template T, U
 * @param {Store<T>} store
 * @param {(value: T) => U} part
 * @returns {U}
 */
export function useStore(store, part) {
	const now = part(store.value);
	const [, redraw] = useState(0);
	useEffect(() => {
		let last = part(store.value);
		if (last !== now) redraw((n) => n + 1);
		return store.listen(() => {
			const next = part(store.value);
			if (next !== last) {
				last = next;
				redraw((n) => n + 1);
			}
		});
	}, [store]);
	return now;
}

/**
 * What a promise brings, or why it did not. The last answer stays until the next one is there.
 * @template T
 * @param {() => Promise<T>} load
 * @param {unknown[]} when it is asked for anew when one of these changes
 * @returns {[T | null, Error | null]}
 */
export function useLoaded(load, when) {
	const [[found, error], settle] = useState(/** @type {[T | null, Error | null]} */ ([null, null]));
	useEffect(() => {
		let isOver = false;
		load().then((value) => isOver || settle([value, null]), (problem) => isOver || settle([null, problem]));
		return () => void (isOver = true);
	}, when);
	return [found, error];
}
