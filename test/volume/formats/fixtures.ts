/**
 * One label map as other software writes it: ITK 5.4 (itk-wasm 1.6.1) and nibabel 5.4.2, gzipped, as base64.
 *
 * 5 × 4 × 3 voxels; the label of voxel (i, j, k) on `oblique` is i + 5j + 20k, so every misplaced voxel shows.
 */
import { gunzipSync } from "node:zlib";
import { type Expected, interpret } from "../../../src/volume/formats/interpret.ts";
import type { Grid, LabelMap } from "../../../src/volume/volume.ts";

/** Columns turned by 30° about z, rows tipped by 20°; three spacings (0.7, 1.1, 2.5 mm), three sizes. */
export const oblique: Grid = {
  size: [5, 4, 3],
  affine: {
    origin: [-120.25, 33.5, -410.125],
    perColumn: [0.6062177826491071, 0.35, 0],
    perRow: [-0.5168309414322496, 0.8951774494843112, 0.37622215765823563],
    perSlice: [0.4275251791570858, -0.7404953318150597, 2.3492315519647713],
  },
};

/** Label by index on `oblique`. */
export const labelled = Uint8Array.from({ length: 60 }, (_, n) => n);

/** Every label of `labelled` but 0. */
export const allLabels = Array.from({ length: 59 }, (_, n) => n + 1);

export const written: ReadonlyMap<string, Uint8Array> = new Map(
  Object.entries({
    "ITK, NIfTI":
      "H4sIAAAAAAAAA4thZCACFDEwM7AysDAwMzBCISpgYuAA0w32xsbG9mfP9NgzMCg4YJqzwRmkBsrhYhhgwMjAyLBIzMJ230HtfSatxfsZGj44MTCwHWIQOHtY3FB6P4c/i/3UJ7f2gcSNjTfvi9JK3S810dYepGaur/AGwwUH7M5HijmA1KObnadtCLWEiZmFlY2dg5OLm4eXj19AUEhYRFRMXEJSSlpGVk5eQVFJWUVVTV1DU0tbR1dP38DQyNjE1MzcwtLKGgBGGNgcnAEAAA==",
    "ITK, NRRD, gzip encoding":
      "H4sIAAAAAAACA1VPuY4UMRRcCQkhR9yEWNpkRur2+L5ExsYraK6Upts9YzFtt9qegE34AJJdzt9YISR+g5uUmwTxDTADBFRSFdSrqrdbVTsYYw624cXYD0uXHdytqh3Y+aWDXRz7OsM0uMZ3vqmzjwHW2YJtuMh5sLNZdq5HKa7GxnVxnDsUXJ6FcWxnf27RIvdLkO8MzsJVSH4eXAubRT2C1vcuJB+DhQykoW6chUvX5XKIKbvRx7FMq2EjQPJ7LlkoIP/nha0fXbPekyycYCSxpEQpZSSTUlMhCowYN2towpTQhBNV4CmclBgJIjXDhgupMZV6Y9ZGEKW4lBwTqbTZBChJKSWaUKWFxNpM11WcKkEFxUwTho3RpigxUhxzIxhnihHCGWUFXfdTRgRnihKFuZyC2z60ycI29rUP/xNwoYmtD3ML53t++PtlHP3cBwsnJaEYUVEwhkRRcoIRoWIKwPl7x7Y2ONLcbG91tWu+f/jy6dvHr5/PHT998uyJM6ee7D+8//jg0YMbl65W1y9fu/L+xZtX716+fa0wp5II9vzw2dOjWz/v/ji88DvnF8Ejww8QAgAA",
    "ITK, NRRD, raw encoding":
      "H4sIAAAAAAACA1WPSZPTMBCF2QfENuw7CMISgy1r3zgy5znkH7hsOVERSy5JKQp+PeUAB/rSffhev/fON5szjDEHK/gtTvPeFQfPN5szOPq9g2NMU1dgnl3vR993xccAu2LBCu5KmW3bFucmlOMh9W6MaetQcKUNKQ3tHy3alWkPys/ZWXgI2W+DG2C/6xIY/ORC9jFYyECeu95ZuHdjaeaYi0s+piYf5uMBsv/lsoUC8n8sHHxy/ZInW7jGSGJJiVLKSCalpkLUGDFultGEKaEJJ6rGFVw3GAkiNcOGC6kxlfoIayOIUlxKjolU2hwfKEkpJZpQpYXE2lSLFadKUEEx04RhY7SpG4wUx9wIxplihHBGWU0Xf8qI4ExRojCXFfjuw5AtHOLU+fD/Ai70cfBha2HqfvwtGZPf+mDhuiEUIypqxpCoG04wIlRUAFy4eOnylavXTq7fADdv3b5z9/Te/QcPHz1+8vTZ8xcvX71+A9++W73/8PHTuvr8pW5QiwllXCz97Nff8O52K/sBAAA=",
    "nibabel, turned to RAS":
      "H4sIAAAAAAACA4thZCAKMDOwMrAASUYoRAVMDBxgusHe2NjY/uyZHnsGBgUHEB8Vb3CG0IMFMDHsP6i9b5GYxd6ehia7wAPvnKaFix3qqD9zWNxQ2p7Dn2X/1Ce39oHEjY0320VqpdpLTbS1B6kB6TZccGDf+UgxB5B6dJPztA3BtLCQoAA/Hy8PNxcnBzsbKwszEyODupqqirKSooK8nKyMtJSkhLiYqIi1laWFuZmpibGRoYG+nq6OtpamBgBJQeI3nAEAAA==",
    "nibabel, slices first and columns reversed":
      "H4sIAAAAAAACA4thZCAKMAMhKwMLAyMUogImBg4w3bCfgUHBwdjY2P7smR57IB8Nb3CG0IMDgPzxefPFfatmm+5/cXXSvvJlr51mzeQ+xCBw9vDUJ7f2iRtK23P4s9iDxKUm2tobG2+2i9RK3Q9Scz5SzAHkYcMFB+xA6tHNztM2BNMsEjrM4tpMYlqMopoMIhqcsoYcMgbs0vpsUnqskrp8Sma8iqY8Cibc8sZcckbC6tZCalaCqpYCKhb8yuYA2pkhfJwBAAA=",
    "nibabel, NIfTI-2, big-endian uint16, qform only":
      "H4sIAAAAAAACA2NgYJLJ0zZi4OWS4mJiYBBggABmKM0KpVnQxBkJ0BjA/gOUfpaWljvjl7H9x5kzJ/6f/t2B+f//73LHmeDyOGgIYFJA5Q9qAA4L++VMV4wzFF7vP1phflX1V8P+dwXLijJWPXCIgwT1AYcDELpyEZje/zhN6QFI34POh2D+7ZhJC4A0TP3+a2lpCSD6zVJvBZC655uUHZDMgYf3DRE2kLwD02nLB0jmk+UPJmC8swDTAhsDOwMHAycDFwM3Aw8DLwMfAz8wxQgyCDEIM4gwiDKIMYgzSDBIMkgxSDPIMMgyyDHIMygwKDIoMSgzqDCoMqgxqDNoMGgyaDFoM+gw6DLoMegzGDAYMhgxGDOYMJgymDGYM1gwWDJYMVgDALQkajCYAgAA",
    "nibabel, int64":
      "H4sIAAAAAAACA83Ru04CQRTG8bOyIN4RdVHwgiKorLd1UFGDs5EHoCaxtbXxBWjobCzoCU9AYr/rpZXYW/sAPoIs/jGBytJvMvPLTE5mkjPXhvwpIQmL2V0NxlBMt0dNK6V05+1ei6TdYD842+Uf/0tGpGUVS/6z7RXqd77Uvq5EIi8S67wmnJQfrZi68fnhBedKPXrV/I2ffCjpXk03TvPp8r1quUH98M23tjOwN35f7PeTxmEYIziKURzDcZzASZzCaZzBGM5iHOdwHhfQwgQu4hImMYXLuIKruIZpXMcNzOAmZjGHW7iNO5hHG3dxD/fxAA+x/xtHqLCAx3iCp1jEMzzHC/wG2PcnqUADAAA=",
    "nibabel, float32":
      "H4sIAAAAAAACA83QoUsDcRTA8Tc9ZWHhgkxRwwXDcIYdv4UF5++3aVgYuLDgYGFhgkFE8B+4IhgMGgTjYTIOLKa7mysGh0YxLRiMi0a/dxqcadH34/N7vB+PH7zXTslUMStzYnGnfs5k2OIk2dNKKT18OtcijonrSb3t7/xfYkZusqVy2M8HxdOTULxxVWT+QezhYNFdCdO7lr56fwvid6Xugtb6frh8WdZJD+H60dZzK2vi/r8/H+XdX1UyM/sw8U7gI8IIUmF/cFCAQQMdHMPDGS5wDR+36OEeER7xgleM8IExPiHMZCGNDGwsYAmrcLCGHDZQQBElbMJgBzXU0UATe2ijgy4OcFj9AvIY81JQAgAA",
    "nibabel, scl_slope 0.5 and scl_inter -1":
      "H4sIAAAAAAACA4thZCAKMDOwMrAASUYoRAVMDBxgusHe2NjY/uyZHnsGBgUHEB8Vb3AGKgKx9zMMCsDEsEjMwnb/Qe19Jq3F+xkaPjgxMLAdYhA4e1jcUHo/hz+L/dQnt/aBxI2NN++L1ErdLzXR1h6sBggMFxywOx8p5gBSj25ynrYhxAYWNg4uHj4BIRExCSkZOQUlFTUNLR09AyMTMwsrGzsHJxc3Dy8fv4CgkLCIqJi4hKSUtIysnLyCopKyCgD0YLztnAEAAA==",
    "nibabel, four dimensions":
      "H4sIAAAAAAACA4thZCAKsDCwAjEzAyMUogImBg4w3WBvbGxsf/ZMjz0Dg4IDiI+KNzhD6MECmBgWiVnY7j+ovc+ktXg/Q8MHJwYGtkMMAmcPixtK7+fwZ7Gf+uTWPpC4sfHmfZFaqfulJtrag9UAgeGCA3bnI8UcQOrRTc7TNoQwGJmYWVjZ2Dk4ubh5ePn4BQSFhEVExcQlJKWkZWTl5BUUlZRVVNXUNTS1tHV09fQNDI2MTUzNzC0srawBj6wpopwBAAA=",
  }).map(([name, text]) => [name, Buffer.from(text, "base64")] as const),
);

/** @returns the file itself, uncompressed */
export function plain(name: string): Uint8Array {
  const file = written.get(name);
  if (!file) throw new Error(`No fixture ${name}`);
  return new Uint8Array(gunzipSync(file));
}

/** The one layer of a file that is a label map on the grid that was sent. */
export function readLabelMap(bytes: Uint8Array, expected: Expected): LabelMap {
  const { grid, layers } = interpret([{ bytes }], { as: "labelmap", maxBytes: 1_000_000 }, expected);
  const [labels, ...more] = layers;
  if (!labels || more.length > 0) throw new Error(`${layers.length} layers`);
  return { grid, labels };
}
