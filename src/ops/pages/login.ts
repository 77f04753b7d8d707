/** The log-in, and what is said where there is no page. Pure. */
import { html } from "./html.ts";
import { type Around, barePage } from "./layout.ts";

export function loginPage(around: Pick<Around, "asset">, isWrong: boolean): string {
  return barePage(
    around,
    "Log in",
    html`<h1>Isocenter</h1>
${isWrong && html`<p class="why" role="alert">Name or password is wrong.</p>`}
<form class="login" method="post" action="/login">
<label>Name <input name="name" autocomplete="username" required maxlength="64" autofocus></label>
<label>Password <input name="password" type="password" autocomplete="current-password" required maxlength="256"></label>
<button>Log in</button>
</form>`,
  );
}

export function faultPage(around: Pick<Around, "asset">, title: string, text: string): string {
  return barePage(around, title, html`<h1>${title}</h1><p>${text}</p><p><a href="/">Studies</a></p>`);
}
