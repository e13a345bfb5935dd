/**
 * A process of its own that runs one node and uses `node.locks` as its parent says, so that a test can have
 * callers in several processes. Plain JavaScript over the built package; see `agents.ts` for the other side.
 */
const { startNode } = require('../../dist/src');

/** What each callback that runs here waits for: how its parent ended it. */
const callbacks = new Map();
const controllers = new Map();

const handlers = {
  async start({ options }) {
    const node = await startNode(options);
    handlers.request = async ({ id, name, options: asked, hasSignal }) => {
      const controller = new AbortController();
      controllers.set(id, controller);
      const value = await node.locks.request(name, hasSignal ? { ...asked, signal: controller.signal } : asked, (lock) => {
        const ended = new Promise((resolve, reject) => callbacks.set(id, { resolve, reject }));
        process.send({ kind: 'granted', id, lock: lock && { name: lock.name, mode: lock.mode, token: lock.token } });
        return ended;
      });
      return value;
    };
    handlers.query = () => node.locks.query();
    handlers.isConnected = () => node.status().peers.every((peer) => peer.up);
    handlers.stop = () => node.stop();
    return node.address;
  },
  resolve: ({ id, value }) => callbacks.get(id).resolve(value),
  reject: ({ id, error }) => callbacks.get(id).reject(error),
  abort: ({ id, reason }) => controllers.get(id).abort(reason),
};

process.on('message', async (message) => {
  const { kind, id } = message;
  if (kind === 'resolve' || kind === 'reject' || kind === 'abort') return handlers[kind](message);
  try {
    process.send({ kind: 'ended', id, value: await handlers[kind](message) });
  } catch (error) {
    process.send({ kind: 'ended', id, error: { name: error.name, message: error.message, code: error.code } });
  }
});
// Its parent is gone, or has no more use for it.
process.once('disconnect', () => process.exit());
