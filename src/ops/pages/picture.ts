/** The picture of a study: the frame that assets/picture.js draws in. Pure. */
import type { StudyStory } from "../../ledger/story.ts";
import { type Html, html } from "./html.ts";

/** @returns undefined where no series has a result to be shown */
export function pictureOf(
  { summary, series }: StudyStory,
  asset: (name: string) => string,
): Html | undefined {
  const shown = series.filter(({ runs, revision }) =>
    runs.some((run) => run.revision === revision && run.state === "done" && run.results.length > 0),
  );
  if (shown.length === 0) return undefined;
  return html`<section aria-labelledby="picture"><h2 id="picture">Picture</h2>
<div class="card">
<noscript><p>The picture takes a script of this page.</p></noscript>
<div class="picture" data-study="${summary.studyUid}" data-view="${asset("picture-3d.js")}" data-library="${asset("niivue.js")}" hidden>
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
<details id="view-3d" class="picture-3d"><summary>In three dimensions</summary>
<p class="faint" role="status"></p>
<canvas width="900" height="600" role="img" aria-label="Segments in three dimensions"></canvas>
<div class="row"><label class="range">Turn <input type="range" name="turn" min="0" max="359" value="150"></label>
<label class="range">Tilt <input type="range" name="tilt" min="-90" max="90" value="10"></label></div>
</details>
</div></section>`;
}
