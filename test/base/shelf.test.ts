import { expect, test } from "vitest";
import { type Held, Shelf } from "../../src/base/shelf.ts";

interface Thing extends AsyncDisposable {
  readonly name: string;
}

const { signal } = new AbortController();

/** Makes things, and notes what was made and dropped. */
function workshop() {
  const notes: string[] = [];
  const make = (name: string) => async (): Promise<Thing> => {
    notes.push(`make ${name}`);
    return { name, [Symbol.asyncDispose]: async () => void notes.push(`drop ${name}`) };
  };
  return { notes, make };
}

const release = (held: Held<Thing>): Promise<void> => Promise.resolve(held[Symbol.asyncDispose]());

test("who asks for the same thing shares it, and it is dropped when the last lets go", async () => {
  const { notes, make } = workshop();
  const shelf = new Shelf<Thing>(1);
  const [one, two] = await Promise.all([
    shelf.hold("a", make("a"), { signal }),
    shelf.hold("a", make("another a"), { signal }),
  ]);
  expect(one.value).toBe(two.value);
  await release(one);
  expect(notes).toEqual(["make a"]);
  await release(two);
  expect(notes).toEqual(["make a", "drop a"]);
});

test("a place that comes free goes to who waited longest, not to who comes late", async () => {
  const { notes, make } = workshop();
  const shelf = new Shelf<Thing>(1);
  const a = await shelf.hold("a", make("a"), { signal });
  const b = shelf.hold("b", make("b"), { signal });
  const c = shelf.hold("c", make("c"), { signal });
  const releasing = release(a);
  const late = shelf.hold("late", make("late"), { signal });
  await releasing;
  await release(await b);
  await release(await c);
  await release(await late);
  expect(notes.filter((note) => note.startsWith("make"))).toEqual([
    "make a",
    "make b",
    "make c",
    "make late",
  ]);
});

test("all who wait for the same thing get it together", async () => {
  const { notes, make } = workshop();
  const shelf = new Shelf<Thing>(1);
  const a = await shelf.hold("a", make("a"), { signal });
  const both = [shelf.hold("b", make("b"), { signal }), shelf.hold("b", make("b"), { signal })];
  await release(a);
  for (const held of await Promise.all(both)) await release(held);
  expect(notes).toEqual(
    ["make a", "drop a", "make b", "drop b"].toSorted((x, y) => notes.indexOf(x) - notes.indexOf(y)),
  );
});

test("a making that fails is told to all who wait, and made again for the next", async () => {
  const { make } = workshop();
  const shelf = new Shelf<Thing>(1);
  const failing = async (): Promise<Thing> => {
    throw new Error("no such series");
  };
  const results = await Promise.allSettled([
    shelf.hold("a", failing, { signal }),
    shelf.hold("a", failing, { signal }),
  ]);
  expect(results.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  expect((await shelf.hold("a", make("a"), { signal })).value.name).toBe("a");
});

test("who stops waiting leaves the line to the others", async () => {
  const { make } = workshop();
  const shelf = new Shelf<Thing>(1);
  const a = await shelf.hold("a", make("a"), { signal });
  const gone = new AbortController();
  const b = shelf.hold("b", make("b"), { signal: gone.signal });
  const c = shelf.hold("c", make("c"), { signal });
  gone.abort(new Error("gone"));
  await expect(b).rejects.toThrow("gone");
  await release(a);
  expect((await c).value.name).toBe("c");
});

test("a holder can share what it holds; then it stays until both have let go", async () => {
  const { notes, make } = workshop();
  const shelf = new Shelf<Thing>(1);
  expect([await shelf.share("a"), shelf.made("a")]).toEqual([undefined, undefined]);
  const first = await shelf.hold("a", make("a"), { signal });
  const shared = await shelf.share("a");
  if (!shared) throw new Error("nothing to share");
  await release(first);
  expect(notes).toEqual(["make a"]);
  expect(shelf.made("a")).toBe(shared.value);
  await release(shared);
  expect(notes).toEqual(["make a", "drop a"]);
  expect([await shelf.share("a"), shelf.made("a")]).toEqual([undefined, undefined]);
});
