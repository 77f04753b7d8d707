/** dcmjs ships no types; this is the part of it that dictionary.ts uses. */
declare module "dcmjs/dictionary" {
  export const dictionary: Readonly<
    Record<string, { readonly name?: string; readonly vr: string; readonly vm: string }>
  >;
}
