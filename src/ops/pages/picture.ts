/** The picture of a study: the frame that assets/picture.js draws in. Pure. */
import type { StudyStory } from "../../ledger/story.ts";
import { type Html, html } from "./html.ts";

/** @returns undefined where no series has a result to be shown */
export function pictureOf({ summary, series }: StudyStory): Html | undefined {
  const shown = series.filter(({ runs, revision }) =>
    runs.some((run) => run.revision === revision && run.state === "done" && run.results.length > 0),
  );
  if (shown.length === 0) return undefined;
  return html`<section aria-labelledby="picture"><h2 id="picture">Picture</h2>
<div class="card">
<noscript><p>The picture takes a script of this page.</p></noscript>
<div class="picture" data-study="${summary.studyUid}" hidden>
<div class="view"><canvas tabindex="0" aria-label="Slice with segments; up and down keys go through the slices" role="img"></canvas></div>
<div class="side">
<label class="range">Series <select name="series">${shown.map(
    ({ seriesUid, modality, instances }, at) =>
      html`<option value="${seriesUid}">${at + 1}: ${modality ?? "images"}, ${instances}</option>`,
  )}</select></label>
<label class="range">Slice <output name="where"></output><input type="range" name="slice" min="0" value="0" step="1"></label>
<label class="range">Brightness <input type="range" name="level" step="1"></label>
<label class="range">Contrast <input type="range" name="width" min="1" step="1"></label>
<label class="range">Opacity <input type="range" name="opacity" min="0" max="100" value="45"></label>
<fieldset><legend>Segments</legend><ul></ul></fieldset>
<p class="faint" role="status" data-state></p>
</div>
</div>
</div></section>`;
}
