/** The one door to the vendored libraries. */

import htm from "./vendor-htm.js";
import { h, render } from "./vendor-preact.js";

export { render };
export { useEffect, useLayoutEffect, useMemo, useRef, useState } from "./vendor-hooks.js";

/** Templates → virtual nodes. Values are text or attributes, never markup. */
export const html = htm.bind(h);
