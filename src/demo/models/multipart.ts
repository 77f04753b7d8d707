/** The one file of a multipart/form-data body (RFC 7578). Pure. */
import { BadRequest } from "./scan.ts";

/**
 * @param field  name of the part that carries the file
 * @throws BadRequest 400, or 415 if the body is not multipart/form-data
 */
export function fileIn(body: Uint8Array, contentType: string | undefined, field: string): Uint8Array {
  const boundary = /^multipart\/form-data;.*\bboundary="?([^";]+)"?/i.exec(contentType ?? "")?.[1];
  if (boundary === undefined) throw new BadRequest(415, "multipart/form-data is needed");
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const delimiter = Buffer.from(`--${boundary}`);
  let at = bytes.indexOf(delimiter);
  while (at >= 0) {
    const start = at + delimiter.length;
    const next = bytes.indexOf(delimiter, start);
    if (next < 0) break;
    const headEnd = bytes.indexOf("\r\n\r\n", start);
    const head = headEnd < 0 ? "" : bytes.toString("latin1", start, Math.min(headEnd, next));
    const disposition = /^content-disposition:(.*)$/im.exec(head)?.[1] ?? "";
    if (new RegExp(`\\bname="${field}"`).test(disposition)) {
      if (!/\bfilename="/.test(disposition)) throw new BadRequest(400, `part "${field}" is not a file`);
      return bytes.subarray(headEnd + 4, next - 2);
    }
    at = next;
  }
  throw new BadRequest(400, `part "${field}" is missing`);
}
