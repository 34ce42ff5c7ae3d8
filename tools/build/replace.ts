/**
 * Puts a folder that was built in the place of another, which is whole at all times but for a moment: a build that fails leaves what was
 * there, and of several builds at once the last one stays.
 *
 * @module
 */

/** Runs `action` while no other process does so with the same file, which is made and stays. */
export async function alone<T>(file: URL, action: () => Promise<T>): Promise<T> {
  using lock = await Deno.open(file, { create: true, write: true });
  await lock.lock(true);
  return await action();
}

/** Renames the folder `built` to `place`, instead of what is there; both on one file system. */
export async function replaceFolder(built: URL, place: URL, lock: URL): Promise<void> {
  await alone(lock, async () => {
    await Deno.remove(place, { recursive: true }).catch((error) => {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    });
    await Deno.rename(built, place);
  });
}
