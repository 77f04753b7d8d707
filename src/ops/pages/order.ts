/** A button that gives an order. Pure. */
import { type Html, html } from "./html.ts";

/**
 * A form of its own, so that it works without a script: the API answers it with the way back.
 *
 * @param path     of the API
 * @param what     what the order is about, for those who hear the page
 * @param isGrave  it is asked once more whether that is meant
 */
export function orderButton(path: string, text: string, what: string, back: string, isGrave = false): Html {
  return html`<form method="post" action="${path}" data-order="${text}: ${what}"${isGrave && html` data-grave`}><input type="hidden" name="back" value="${back}"><button class="${isGrave ? "small plain" : "small"}" aria-label="${text}: ${what}">${text}</button></form>`;
}
