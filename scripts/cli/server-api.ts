import { type Api, ApiError } from './api.ts'

/** Where the API has the server. */
export function serverPath(path: string): string {
  return `/api/v1/servers/${encodeURIComponent(path)}`
}

/**
 * What is asked of a server by its path. Who names a virtual one or a fleet is told so: those have no
 * endpoints of their own, and nothing to set.
 */
export async function ofServer<T>(api: Api, path: string, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (thrown) {
    const isMissing = thrown instanceof ApiError && thrown.status === 404
    if (!isMissing || !(await isVirtual(api, path))) throw thrown
    throw new ApiError(
      `"${path}" is made of items of other servers.\n` +
        `fix: gatehouse virtual show ${path} names them; ask for one of those.`,
      thrown.status,
      undefined,
    )
  }
}

async function isVirtual(api: Api, path: string): Promise<boolean> {
  return api.request('GET', `/api/v1/virtual-servers/${encodeURIComponent(path)}`).then(
    () => true,
    () => false,
  )
}
