/**
 * The name that was probably meant. Pure.
 *
 * A config may hold thousands of wrong names and the vocabulary has hundreds of right ones: what is far off is left
 * at a glance.
 */

/** @returns the candidate with the fewest edits from the text, if these are few for its length */
export function nearest(text: string, candidates: Iterable<string>): string | undefined {
  const wanted = text.toLowerCase();
  const letters = lettersOf(wanted);
  let best: { readonly name: string; readonly edits: number } | undefined;
  for (const name of candidates) {
    const limit = best ? best.edits - 1 : Math.min(3, Math.ceil(text.length / 3));
    if (Math.abs(name.length - text.length) > limit) continue;
    const candidate = name.toLowerCase();
    // An edit adds a letter, takes one away, or both.
    if (ones(letters ^ lettersOf(candidate)) > 2 * limit) continue;
    const edits = distance(wanted, candidate, limit);
    if (edits <= limit) best = { name, edits };
  }
  return best?.name;
}

/** `; did you mean …?`, or nothing: to be put behind a message. */
export function suggestion(text: string, candidates: Iterable<string>): string {
  const name = nearest(text, candidates);
  return name === undefined ? "" : `; did you mean ${name}?`;
}

/** Which letters there are, one bit each; some share a bit. */
function lettersOf(text: string): number {
  let bits = 0;
  for (let at = 0; at < text.length; at++) bits |= 1 << (text.charCodeAt(at) & 31);
  return bits;
}

function ones(bits: number): number {
  let count = 0;
  for (let rest = bits; rest !== 0; rest &= rest - 1) count++;
  return count;
}

/**
 * Insertions, deletions, substitutions and swaps of neighbours that turn one into the other.
 *
 * @returns any number above the limit where it takes more than that
 */
function distance(a: string, b: string, limit: number): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let edits = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        edits = Math.min(edits, before[j - 2]! + 1);
      }
      row.push(edits);
    }
    if (Math.min(...row) > limit && Math.min(...last) > limit) return limit + 1;
    [before, last] = [last, row];
  }
  return last[b.length]!;
}
