/** Whoever is signed out sees this and nothing else. */

import { connection, post } from "./api.js";
import { html, useEffect, useState } from "./preact.js";
import { go } from "./route.js";

/** @param {{ code: string | null }} props */
export function SignIn({ code }) {
	const [problem, setProblem] = useState("");
	/** @param {{ code?: string, token?: string }} by */
	const enter = async (by) => {
		try {
			await post("v1/session", by);
			if (code) go("#/ask", true);
			connection.patch({ signedIn: true });
		} catch (error) {
			setProblem(error.message);
		}
	};
	useEffect(() => {
		if (code) void enter({ code });
	}, [code]);
	return html`<main class="signin">
		<h1>MESS</h1>
		<p>Run <code>mess open</code> on the machine where MESS runs: it opens this page signed in.</p>
		<form onSubmit=${(event) => {
			event.preventDefault();
			const form = new FormData(event.currentTarget);
			void enter({ token: String(form.get("token")) });
		}}>
			<label>Or paste the token once<input name="token" type="password" autocomplete="off" required /></label>
			<button class="solid">Sign in</button>
		</form>
		<p role="alert">${problem}</p>
	</main>`;
}
