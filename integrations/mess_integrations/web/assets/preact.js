/** The one door to the vendored libraries. */

import htm from "./vendor-htm.js";
import { createContext, Fragment, h, render } from "./vendor-preact.js";

export { createContext, Fragment, h, render };
export {
	useCallback,
	useContext,
	useEffect,
	useLayoutEffect,
	useMemo,
	useReducer,
	useRef,
	useState,
} from "./vendor-hooks.js";

/** Templates → virtual nodes. Values are text or attributes, never markup. */
export const html = htm.bind(h);
