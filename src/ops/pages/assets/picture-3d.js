/**
 * The view in three dimensions, by NiiVue: loaded only when somebody asks for it. The volume is put together here from
 * the slices of the picture, coarser than they are, as a NIfTI file in memory; segments are told apart by colour.
 */
const MOST = { slices: 140, pixels: 200 };
const AT_ONCE = 6;
const HEADER_BYTES = 352;
const TYPE = { uint8: 2, int16: 4 };

/**
 * @param parts.library  path of NiiVue
 * @param parts.picture  what there is, as the server tells it
 * @param parts.slice    asks for one slice: its values and masks
 * @param parts.canvas   to be drawn in
 * @param parts.onWay    called with the part that is read, 0 to 1
 */
export async function show3d({ library, picture, slice, canvas, onWay }) {
  const { Niivue, NVImage } = await import(library);
  const coarse = coarser(picture);
  await filled(coarse, { picture, slice, onWay });
  const niivue = new Niivue({
    backColor: [0, 0, 0, 1],
    show3Dcrosshair: false,
    isOrientCube: false,
    loadingText: "",
  });
  await niivue.attachToCanvas(canvas);
  const open = async (voxels, type, options) =>
    niivue.addVolume(
      await NVImage.loadFromFile({ file: new File([nifti(coarse, voxels, type)], "volume.nii"), ...options }),
    );
  await open(coarse.values, "int16", { colormap: "gray", opacity: 0.25, ...seen(coarse.values) });
  await open(coarse.labels, "uint8", { opacity: 1 });
  niivue.volumes[1].setColormapLabel(coloursOf(picture));
  niivue.setSliceType(niivue.sliceTypeRender);
  niivue.setRenderAzimuthElevation(150, 10);
  niivue.updateGLVolume();
  return niivue;
}

function coarser({ columns, rows, slices, spacing }) {
  const across = Math.max(1, Math.ceil(Math.max(columns, rows) / MOST.pixels));
  const along = Math.max(1, Math.ceil(slices / MOST.slices));
  const size = [Math.floor(columns / across), Math.floor(rows / across), Math.floor(slices / along)];
  const count = size[0] * size[1] * size[2];
  return {
    size,
    across,
    along,
    spacing: [spacing[0] * across, spacing[1] * across, spacing[2] * along],
    values: new Int16Array(count),
    labels: new Uint8Array(count),
  };
}

async function filled({ size, across, along, values, labels }, { picture, slice, onWay }) {
  const indexes = indexOf(picture);
  const { columns } = picture;
  let next = 0;
  const lane = async () => {
    while (next < size[2]) {
      const k = next++;
      const found = await slice(k * along);
      for (let j = 0; j < size[1]; j += 1)
        for (let i = 0; i < size[0]; i += 1) {
          const from = j * across * columns + i * across;
          // DICOM counts to the left and back, NIfTI to the right and front: two axes turn round, so nothing is mirrored.
          const to = (k * size[1] + (size[1] - 1 - j)) * size[0] + (size[0] - 1 - i);
          values[to] = found.values[from];
          for (const { layer, segment, bits } of found.masks)
            if ((bits[from >> 3] >> (from & 7)) & 1) labels[to] = indexes.get(`${layer} ${segment}`) ?? 0;
        }
      onWay((k + 1) / size[2]);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
}

/** A number of its own for each segment of all models, from 1. */
function indexOf({ layers }) {
  const keys = layers.flatMap(({ segments }, layer) => segments.map(({ number }) => `${layer} ${number}`));
  return new Map(keys.slice(0, 255).map((key, at) => [key, at + 1]));
}

function coloursOf({ layers }) {
  const segments = layers.flatMap((layer) => layer.segments).slice(0, 255);
  const channel = (at) => [0, ...segments.map(({ color }) => color[at])];
  return {
    R: channel(0),
    G: channel(1),
    B: channel(2),
    A: [0, ...segments.map(() => 255)],
    I: [0, ...segments.map((_, at) => at + 1)],
    labels: ["", ...segments.map(({ label }) => label)],
  };
}

/** Air is left out. */
function seen(values) {
  const some = values.filter((_, at) => at % 97 === 0).sort();
  return { cal_min: some[Math.floor(some.length * 0.6)], cal_max: some[Math.floor(some.length * 0.995)] };
}

/** @see https://nifti.nimh.nih.gov/pub/dist/src/niftilib/nifti1.h */
function nifti({ size, spacing }, voxels, type) {
  const header = new DataView(new ArrayBuffer(HEADER_BYTES));
  header.setInt32(0, 348, true);
  [3, ...size, 1, 1, 1, 1].forEach((value, at) => header.setInt16(40 + 2 * at, value, true));
  header.setInt16(70, TYPE[type], true);
  header.setInt16(72, type === "int16" ? 16 : 8, true);
  [1, ...spacing].forEach((value, at) => header.setFloat32(76 + 4 * at, value, true));
  header.setFloat32(108, HEADER_BYTES, true);
  header.setFloat32(112, 1, true);
  header.setUint8(123, 2); // mm
  header.setInt16(254, 1, true);
  spacing.forEach((step, at) => {
    header.setFloat32(280 + 16 * at + 4 * at, step, true);
    header.setFloat32(280 + 16 * at + 12, (-step * (size[at] - 1)) / 2, true);
  });
  header.setUint32(344, 0x6e2b3100, false); // n+1
  return new Blob([header.buffer, voxels]);
}
