/**
 * Display colours of segments: sRGB to the CIELab that DICOM stores, and a palette where none is given. Pure.
 *
 * The profile connection space of (0062,000D) is D50 (PS3.3 C.10.7.1.1), sRGB is D65: the matrix holds the Bradford
 * adaptation.
 */

export type Rgb = readonly [red: number, green: number, blue: number];

/** L* as 0 to FFFFH for 0 to 100, a* and b* as 0 to FFFFH for −128 to 127. */
export type StoredLab = readonly [l: number, a: number, b: number];

/**
 * Recommended Display CIELab Value of a colour.
 *
 * @param rgb  0 to 255 each, sRGB
 * @see        PS3.3 C.10.7.1.1; IEC 61966-2-1; Bradford matrix after Lindbloom
 */
export function storedLab(rgb: Rgb): StoredLab {
  const [r, g, b] = [linear(rgb[0]), linear(rgb[1]), linear(rgb[2])];
  const x = lightness((0.4360747 * r + 0.3850649 * g + 0.1430804 * b) / 0.96422);
  const y = lightness(0.2225045 * r + 0.7168786 * g + 0.0606169 * b);
  const z = lightness((0.0139322 * r + 0.0971045 * g + 0.7141733 * b) / 0.82521);
  const chroma = (value: number): number => word((value + 128) / 255);
  return [word((116 * y - 16) / 100), chroma(500 * (x - y)), chroma(200 * (y - z))];
}

/** The other way round, for screens: 0 to 255 each, sRGB. */
export function rgbOf([l, a, b]: StoredLab): Rgb {
  const fy = ((l / 0xffff) * 100 + 16) / 116;
  const fx = fy + ((a / 0xffff) * 255 - 128) / 500;
  const fz = fy - ((b / 0xffff) * 255 - 128) / 200;
  const [x, y, z] = [0.96422 * unlightness(fx), unlightness(fy), 0.82521 * unlightness(fz)];
  return [
    gamma(3.1338561 * x - 1.6168667 * y - 0.4906146 * z),
    gamma(-0.9787684 * x + 1.9161415 * y + 0.033454 * z),
    gamma(0.0719453 * x - 0.2289914 * y + 1.4052427 * z),
  ];
}

function unlightness(f: number): number {
  return f > 6 / 29 ? f ** 3 : 3 * (6 / 29) ** 2 * (f - 4 / 29);
}

function gamma(value: number): number {
  const encoded = value <= 0.0031308 ? 12.92 * value : 1.055 * value ** (1 / 2.4) - 0.055;
  return Math.round(255 * Math.min(1, Math.max(0, encoded)));
}

/** A colour that stays with a label value: the same structure looks the same in every patient. */
export function paletteColour(labelValue: number): Rgb {
  return PALETTE[(labelValue - 1) % PALETTE.length]!;
}

/**
 * A light colour of a hue (HSV, value 0.95).
 *
 * @param hue         in degrees, 0 is red
 * @param saturation  0 (white) to 1
 */
export function hueColour(hue: number, saturation: number): Rgb {
  const channel = (offset: number): number => {
    const sector = (offset + hue / 60) % 6;
    return Math.round(242 * (1 - saturation * Math.max(0, Math.min(sector, 4 - sector, 1))));
  };
  return [channel(5), channel(3), channel(1)];
}

/** Told apart on grey images, neighbours in contrast. */
const PALETTE: readonly Rgb[] = [
  [230, 25, 75],
  [60, 180, 75],
  [0, 130, 200],
  [255, 225, 25],
  [145, 30, 180],
  [245, 130, 48],
  [70, 240, 240],
  [240, 50, 230],
  [170, 255, 195],
  [128, 0, 0],
  [210, 245, 60],
  [0, 128, 128],
  [250, 190, 212],
  [170, 110, 40],
  [220, 190, 255],
  [128, 128, 0],
  [255, 215, 180],
  [0, 0, 128],
];

function linear(channel: number): number {
  const share = channel / 255;
  return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
}

function lightness(share: number): number {
  return share > 216 / 24389 ? Math.cbrt(share) : (24389 / 27) * (share / 116) + 16 / 116;
}

/** Colours outside the range of the encoding are held at its border. */
function word(share: number): number {
  return Math.round(Math.min(Math.max(share, 0), 1) * 65535);
}
