/**
 * What a request may refer to instead of carrying it: a link to the volume, a path in a shared folder, an address
 * to call back to.
 *
 * In:   a model, the encoded file.
 * Out:  the values of those placeholders that the model's texts use; nothing is offered that is not asked for.
 */
import type { Link, ModelAccess } from "./access.ts";
import type { Json, Model } from "./model.ts";
import type { EncodedFile } from "./request.ts";
import { type JobFolder, openJobFolder } from "./shared-folder.ts";
import { namesIn, textsIn } from "./template.ts";
import type { Hook } from "./transport.ts";

export interface Offered extends AsyncDisposable {
  readonly values: readonly (readonly [string, Json])[];
  readonly hook: Hook | undefined;
  readonly folder: JobFolder | undefined;
}

/** @throws STORAGE_FULL, STORAGE_FAILED */
export async function offer(
  model: Model,
  file: EncodedFile,
  { access, now }: { readonly access: ModelAccess | undefined; readonly now: number },
): Promise<Offered> {
  const used = new Set(textsIn([model.headers, model.request, model.transport]).flatMap(namesIn));
  const name = fileNameOf(model);
  const lifetimeMs = 2 * model.deadlineMs;
  await using parts = new AsyncDisposableStack();
  const reachable = (): ModelAccess => {
    if (!access) throw new Error(`bug: model ${model.name} needs modelAccess`);
    return access;
  };
  const values: (readonly [string, Json])[] = [];
  const link: Link | undefined = used.has("volume.url")
    ? parts.use(reachable().publish(file, { name, lifetimeMs }))
    : undefined;
  if (link) values.push(["volume.url", link.url]);
  const called = used.has("webhook.url")
    ? parts.use(reachable().expectCallBack({ lifetimeMs, maxBytes: model.response.maxBytes }))
    : undefined;
  if (called) values.push(["webhook.url", called.url]);
  const usesPath = used.has("volume.path");
  const folder =
    model.sharedFolder && (usesPath || used.has("job.dir"))
      ? parts.use(await openJobFolder(model.sharedFolder, { file: usesPath ? file : undefined, name, now }))
      : undefined;
  if (folder) values.push(["volume.path", folder.path], ["job.dir", folder.dir]);
  const held = parts.move();
  return { values, hook: called?.hook, folder, [Symbol.asyncDispose]: () => held.disposeAsync() };
}

/** Whether a model fetches from the node, or calls back. */
export function needsAccess({ headers, request, transport }: Model): boolean {
  const names = new Set(textsIn([headers, request, transport]).flatMap(namesIn));
  return names.has("volume.url") || names.has("webhook.url");
}

/** Some models choose the reader by the ending. */
function fileNameOf({ request }: Model): string {
  if (request.format === "kserve") return "volume.raw";
  const { format, compression } = request;
  if (format === "dicom-zip") return "volume.zip";
  const ending = { nifti: ".nii", nrrd: ".nrrd", metaimage: ".mha", npy: ".npy", raw: ".raw" }[format];
  const isInside = format === "nrrd" || format === "metaimage";
  const packed = isInside ? "" : { none: "", gzip: ".gz", zstd: ".zst" }[compression];
  return `volume${ending}${packed}`;
}
